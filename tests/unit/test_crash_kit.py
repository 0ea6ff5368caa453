# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from lab.crash.kit import collect, decoded_stack, fatal_trace, gdb_script
from lab.crash.stack import Frame, Trace
from lab.crash.symbols import note_modules, note_sections, noted_sections, symbol_files
from lab.errors import LabError

OOPS = """\
BUG: unable to handle page fault
CPU: 0 PID: 1 Comm: init
RIP: 0010:f+0x1/0x10 [my_mod]
Call Trace:
 panic+0x1/0x2
---[ end trace 0 ]---
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    module = tmp_path / "my-mod.ko"
    source = b".text\n.type f,@function\nf: nop\nret\n.size f, .-f\n"
    subprocess.run(["as", "-g", "-o", str(module), "-"], input=source, check=True)
    run = tmp_path / "run"
    run.mkdir()
    note_modules(run, [module, tmp_path / "hello"])
    module.unlink()  # what comes now has only the directory
    (run / "console").write_text(OOPS)
    return run


def test_from_the_directory_alone(directory: Path) -> None:
    frame = decoded_stack(directory).splitlines()[2]
    assert frame.startswith("  f+0x1/0x10 [my_mod]  ")
    assert frame.endswith("{standard input}:4")


def test_without_a_monitor_there_is_all_but_the_dump_and_a_reason(directory: Path) -> None:
    collect(directory, None)
    assert "f+0x1/0x10 [my_mod]" in (directory / "stack.txt").read_text()
    assert "info line *(f+0x1)" in (directory / "stack.gdb").read_text()
    compile((directory / "vmcore.py").read_text(), "vmcore.py", "exec")
    assert (directory / "missing.txt").read_text() == "vmcore: there is no monitor to ask for it\n"


def test_a_death_without_a_stack_is_said_not_raised(directory: Path) -> None:
    (directory / "console").write_text("dbos-lab: ready\n")
    collect(directory, None)
    assert "There is no stack trace" in (directory / "missing.txt").read_text()
    with pytest.raises(LabError, match="no stack trace"):
        fatal_trace(directory)


def test_the_kernel_log_is_trusted_before_the_console(directory: Path) -> None:
    (directory / "kernel.log").write_text(OOPS.replace("f+0x1/0x10", "g+0x1/0x10"))
    assert fatal_trace(directory).frames[0].symbol == "g"
    (directory / "kernel.log").write_text("cut off\n")
    assert fatal_trace(directory).frames[0].symbol == "f"


def test_gdb_gets_modules_that_do_not_overlap_and_the_calls_not_the_returns() -> None:
    frames = (
        Frame("f", 4, 9, "a", is_return=False),
        Frame("g", 4, 9, "b"),
        Frame("h", 4, 9, "b", reliable=False),
        Frame("k", 4, 9),
    )
    files = {"": Path("/k/vmlinux"), "a": Path("/x/a.ko"), "b": Path("/x/b.ko")}
    script = gdb_script(Trace("", "", frames), files).splitlines()
    assert "add-symbol-file symbols/a.ko 0x10000000" in script
    assert "add-symbol-file symbols/b.ko 0x20000000" in script
    assert script[-2:] == ["info line *(f+0x4)", "info line *(g+0x3)"]


def test_the_kernels_symbols_are_taken_from_beside_or_from_the_host(tmp_path: Path) -> None:
    host = tmp_path / "debug"
    host.mkdir()
    (host / "vmlinux-6.1.0-9-amd64").write_text("")
    run = tmp_path / "run"
    (run / "symbols").mkdir(parents=True)
    assert symbol_files(run, host) == {}
    (run / "record.json").write_text(json.dumps({"kernel_release": "6.1.0-9-amd64"}))
    assert symbol_files(run, host) == {"": host / "vmlinux-6.1.0-9-amd64"}
    (run / "symbols" / "vmlinux").write_text("")
    assert symbol_files(run, host) == {"": run / "symbols" / "vmlinux"}


def test_where_a_module_was_loaded_is_kept(tmp_path: Path) -> None:
    assert noted_sections(tmp_path, "dune") == {}
    note_sections(tmp_path, "dune", ".text:0xffffffffc026c000\n.data:0xffffffffc0272000\nnoise\n")
    assert noted_sections(tmp_path, "dune") == {
        ".text": 0xFFFFFFFFC026C000,
        ".data": 0xFFFFFFFFC0272000,
    }
