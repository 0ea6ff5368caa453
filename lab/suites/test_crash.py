# SPDX-License-Identifier: BSD-2-Clause
"""A panic leaves a directory from which alone it can be understood."""

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.crash.kit import decoded_stack
from lab.crash.vmcore import read_vmcore
from lab.deploy import MODULE, load_module
from lab.errors import LabError, Status
from lab.lab import Booted, Lab
from lab.live.gdb import stub
from lab.session.cell import Cell

COMPLETE_WITHIN = 60.0
"""Seconds from the panic to the complete directory. Emulated, on a busy host: 2 to 6."""

BREAK = """
set breakpoint pending off
break *slot_set
echo armed\\n
continue
set $rsi = 0
delete
detach
"""
"""For gdb: let the kernel's next DUNE_SET_SLOT follow a null pointer."""


def killed(lab: Lab, profile: str, kill: Callable[[Booted], None]) -> Path:
    """Boot, load the module, let ``kill`` panic the kernel; return the directory that is kept."""
    with pytest.raises(LabError) as lost, lab.booted(lab.profile(profile)) as booted:
        directory = booted.machine.directory
        lab.deploy_to(booted.guest)
        load_module(booted.guest, MODULE)
        begun = time.monotonic()
        kill(booted)
    assert time.monotonic() - begun < COMPLETE_WITHIN
    assert lost.value.status is Status.LOST
    assert f"dbos-lab crash {directory}" in lost.value.hint
    return directory


def sysrq(booted: Booted) -> None:
    """Panic on request."""
    booted.guest.run("echo c >/proc/sysrq-trigger")


def null_dereference(booted: Booted) -> None:
    """Make the module follow a null pointer, with gdb: no fault has to be built into it."""
    booted.guest.run("echo 1 >/proc/sys/kernel/panic_on_oops", check=True)
    directory = booted.machine.directory
    (directory / "break.gdb").write_text(BREAK)
    with stub(directory) as script:
        gdb = subprocess.Popen(
            ["gdb", "-batch", "-nx", "-x", str(script), "-x", str(directory / "break.gdb")],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        with gdb:
            assert gdb.stdout is not None
            said = ""
            while "armed" not in said:
                line = gdb.stdout.readline()
                assert line, f"gdb ended early:\n{said}"
                said += line
            booted.guest.run("/lab/hello", timeout=COMPLETE_WITHIN)


def said_by(directory: Path, *command: str) -> str:
    """Run a debugger in the directory; return what it printed."""
    return subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=60,
        check=True,
    ).stdout


@pytest.mark.lab_boot("stock")
def test_a_panic_is_complete_with_a_dump_that_drgn_opens(lab: Lab, lab_cell: Cell) -> None:
    directory = killed(lab, lab_cell.profile, sysrq)

    # The backtrace on the console is whole, though QEMU was told of the panic before it.
    console = (directory / "console").read_text(errors="replace")
    assert "sysrq_handle_crash+0x" in console
    assert "entry_SYSCALL_64_after_hwframe+0x" in console
    assert "Kernel Offset: 0x" in console  # the kernel's last words; its address was random

    core = read_vmcore(directory / "vmcore")
    assert core.release == lab.image.kernel_release
    assert core.banner.startswith(f"Linux version {core.release} ")
    assert (directory / "vmcore").stat().st_blocks * 512 < 1 << 29  # of the guest's 1 GiB

    # The dead kernel's log has all of its life; the console shows warnings only.
    log = (directory / "kernel.log").read_text()
    assert log == core.log
    assert core.banner in log.splitlines()[0]
    assert "Kernel panic - not syncing: sysrq triggered crash" in log

    # The script in the directory does what it says, in drgn's own shell.
    drgn = Path(sys.executable).with_name("drgn")
    shown = said_by(directory, str(drgn), "-q", "-c", "vmcore", "vmcore.py")
    assert core.banner in shown

    events = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    names = [event["event"] for event in events]
    assert names.index("GUEST_PANICKED") < names.index("SHUTDOWN")
    assert not (directory / "missing.txt").exists()
    shutil.rmtree(directory)


@pytest.mark.lab_boot("seed")
def test_a_null_pointer_in_the_module_has_file_and_line(
    lab: Lab, lab_cell: Cell, tmp_path: Path
) -> None:
    directory = killed(lab, lab_cell.profile, null_dereference)
    moved = tmp_path / "elsewhere"
    shutil.move(directory, moved)  # nothing but the directory is needed
    stack = decoded_stack(moved)

    assert "NULL pointer dereference" in stack.splitlines()[0]
    assert "Fatal exception" in stack.splitlines()[0]
    located = said_by(moved, "gdb", "-batch", "-nx", "-x", "stack.gdb")
    source = lab.config.source / "kern"
    [at] = re.findall(r"^  slot_set\S* \[dune\]  kern/slots.c:(\d+)$", stack, re.M)
    assert "check_slot(slot)" in (source / "slots.c").read_text().splitlines()[int(at) - 1]
    [at] = re.findall(r"^      inlined: check_slot  kern/slots.c:(\d+)$", stack, re.M)
    assert f'Line {at} of "/src/kern/slots.c"' in located
    assert "slot->slot" in (source / "slots.c").read_text().splitlines()[int(at) - 1]
    # Its caller, by the address it would have returned to.
    [at] = re.findall(r"^  vm_ioctl\S* \[dune\]  kern/vm.c:(\d+)$", stack, re.M)
    assert "set_slot(" in (source / "vm.c").read_text().splitlines()[int(at) - 1]
