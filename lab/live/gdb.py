# SPDX-License-Identifier: BSD-2-Clause
"""gdb on a live machine: QEMU's stub, opened when asked for, and the right symbols.

The stub listens on a socket in the machine's private directory, never on a port: whoever reaches
it owns the guest. While gdb is connected the guest stands still.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from lab.crash.symbols import noted_sections, read_sections, sections_command, symbol_files
from lab.errors import Status, die
from lab.machine import monitor
from lab.machine.qmp import Qmp

_ADDRESS_ROOM = 107
"""Bytes that the address of a Unix socket has room for (unix(7)); gdb takes nothing but a path."""
_CHECKOUT = Path(__file__).resolve().parents[2]
_GUEST_TIMEOUT = 5.0
"""Seconds a guest gets to say where its modules are; it needs 0.2."""


@contextlib.contextmanager
def stub(directory: Path) -> Iterator[Path]:
    """Open the machine's gdb stub and lend out a gdb script that connects to it."""
    address = directory / "gdb.sock"
    if len(str(address).encode()) > _ADDRESS_ROOM:
        die(
            f"gdb cannot reach {address}: a socket's path has at most {_ADDRESS_ROOM} bytes.",
            "DBOS_LAB_RUNS=/tmp/runs dbos-lab up  # a shorter path",
            status=Status.USAGE,
        )
    qmp = Qmp(monitor.connect(directory))
    try:
        qmp.connect(2.0)
        status = qmp.execute("query-status")
        answers = isinstance(status, dict) and status.get("running") is True
        script = directory / "live.gdb"
        script.write_text(gdb_script(directory, address, answers=answers))
        _gdbserver(qmp, f"unix:{_escaped(address)},server=on,wait=off")
        try:
            yield script
        finally:
            _gdbserver(qmp, "none")
            address.unlink(missing_ok=True)
    finally:
        qmp.close()


def gdb_script(directory: Path, address: Path, *, answers: bool) -> str:
    """Write the commands that connect gdb and tell it what lies where.

    A guest that ``answers`` is asked where its modules are; else what was noted counts.
    The kernel's own symbols are right for boots without KASLR only.
    """
    lines = ["set confirm off", "set pagination off", "set architecture i386:x86-64"]
    lines.append(f"set substitute-path /src {_CHECKOUT}")  # where lab.build compiled it
    for module, file in symbol_files(directory).items():
        if not module:
            lines.append(f"symbol-file {file}")
            continue
        sections = _ask(directory, module) if answers else noted_sections(directory, module)
        if ".text" in sections:
            lines.append(add_symbols(file, sections))
    return "\n".join([*lines, f"target remote {address}"]) + "\n"


def add_symbols(file: Path, sections: Mapping[str, int]) -> str:
    """Build gdb's command for a module loaded at these addresses."""
    others = [f"-s {name} {at:#x}" for name, at in sections.items() if name != ".text"]
    return " ".join([f"add-symbol-file {file} {sections['.text']:#x}", *others])


def _ask(directory: Path, module: str) -> Mapping[str, int]:
    """Ask the guest; it may be too busy, or the module not loaded: then what was noted counts."""
    ssh = ["ssh", "-F", str(directory / "ssh_config"), "-o", "ConnectTimeout=3", "guest"]
    try:
        done = subprocess.run(
            [*ssh, sections_command(module)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_GUEST_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return noted_sections(directory, module)
    return read_sections(done.stdout) or noted_sections(directory, module)


def _gdbserver(qmp: Qmp, device: str) -> None:
    said = str(qmp.execute("human-monitor-command", {"command-line": f"gdbserver {device}"}))
    if re.search(r"could not|invalid|error", said, re.IGNORECASE):
        die(f"QEMU did not open its gdb stub: {said.strip()}.", "dbos-lab ps", status=Status.FAILED)


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")
