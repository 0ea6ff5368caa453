# SPDX-License-Identifier: BSD-2-Clause
"""The directory of a machine that crashed, made complete: all that is needed, nothing elsewhere.

What it holds, and how it is read, stands in its own README (below).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from lab.crash.decode import describe
from lab.crash.dump import dump_memory
from lab.crash.stack import Trace, fatal
from lab.crash.symbols import SYMBOLS, symbol_files
from lab.crash.vmcore import read_vmcore
from lab.errors import LabError, Status
from lab.machine.qmp import Qmp
from lab.machine.rundir import CONSOLE, VMCORE

KERNEL_LOG = "kernel.log"
STACK = "stack.txt"
_MISSING = "missing.txt"
_README = """\
A guest's kernel crashed here.

    dbos-lab crash .                        the stack it died with, with file and line
    drgn -c vmcore -s symbols/dune.ko vmcore.py
                                            a start with drgn
    gdb -x stack.gdb                        the module's symbols; where each frame is in the source

vmcore         memory and processors: kdump format, compressed page by page, for drgn and crash as
               it is. crash needs the kernel with debug information too, and drgn gets better with
               it: the distribution's debug package, or that vmlinux as symbols/vmlinux
kernel.log     the kernel log, read out of the dump
console        what the serial port showed
stack.txt      what the first command prints
symbols/       the lab's modules with debug information, and where they were loaded
events.jsonl   what QEMU told of its own accord
record.json    image, kernel, boot arguments, commit, host; argv: QEMU's command line
missing.txt    if it is there: what could not be had, and why
"""


def collect(directory: Path, qmp: Qmp | None) -> None:
    """Complete the directory of a machine that stands still or is about to be ended.

    Never raises for what cannot be had: ``missing.txt`` then says what and why. Without ``qmp``
    (an engine that has no monitor) there is no dump. Bounded by the dump's time limit.
    """
    missing = []
    if qmp is None:
        missing.append("vmcore: there is no monitor to ask for it")
    else:
        try:
            dump_memory(qmp, directory / VMCORE)
            (directory / KERNEL_LOG).write_text(read_vmcore(directory / VMCORE).log)
        except (LabError, OSError) as error:
            missing.append(str(error))
    try:
        (directory / "README").write_text(_README)
        shutil.copyfile(Path(__file__).with_name("drgn_script.py"), directory / "vmcore.py")
        trace = fatal_trace(directory)
        files = symbol_files(directory)
        (directory / STACK).write_text(describe(trace, files))
        (directory / "stack.gdb").write_text(gdb_script(trace, files))
    except (LabError, OSError) as error:
        missing.append(str(error))
    if missing:
        (directory / _MISSING).write_text("\n".join(missing) + "\n")


def fatal_trace(directory: Path) -> Trace:
    """Return the trace the machine of ``directory`` died with; dies if there is none.

    The kernel log has it even where the console was cut off; without one, the console.
    """
    for name in (KERNEL_LOG, CONSOLE):
        path = directory / name
        trace = fatal(path.read_text(errors="replace")) if path.exists() else None
        if trace is not None:
            return trace
    raise LabError(
        f"There is no stack trace in {directory}.",
        f"less {directory / CONSOLE}",
        status=Status.FAILED,
    )


def decoded_stack(directory: Path) -> str:
    """Return the stack the machine of ``directory`` died with, with file and line."""
    return describe(fatal_trace(directory), symbol_files(directory))


def gdb_script(trace: Trace, files: dict[str, Path]) -> str:
    """Write commands for ``gdb -x``, run in the directory, that find the source of each frame."""
    lines = ["# gdb -x stack.gdb", "set pagination off", "set confirm off"]
    modules = [file.name for name, file in files.items() if name]
    # Where they were loaded does not matter here, only that they do not overlap.
    for number, name in enumerate(modules, 1):
        lines.append(f"add-symbol-file {SYMBOLS}/{name} {number << 28:#x}")
    for frame in trace.frames:
        if frame.reliable and frame.module in files and frame.module:
            back = 1 if frame.is_return else 0
            lines.append(f"info line *({frame.symbol}+{frame.offset - back:#x})")
    return "\n".join(lines) + "\n"
