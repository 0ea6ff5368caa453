# SPDX-License-Identifier: BSD-2-Clause
"""What is taken from a guest that hangs, while it still does: nobody can take it later.

Files in the machine's run directory:
  registers   of all processors, several times, as QEMU prints them
  nmi         what the kernel wrote to its console when it was sent a non-maskable interrupt
  hang.json   what follows from the registers

In this order: the interrupt is the one step that changes the guest. The image's init asks the
kernel to panic over it (``unknown_nmi_panic``), which prints the stack of the processor that took
it, even of one in ``cli; hlt``. That panic is the lab's doing and no finding. Memory is dumped when
the machine is stopped (``Machine.crash_kit``).
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.console import Console, plain
from lab.deadline import Deadline
from lab.errors import LabError, Status
from lab.machine.cpus import Condition, Cpu, condition, describe, parse_registers, registers
from lab.machine.qmp import Qmp

LOOKS = 4
_BETWEEN_LOOKS = 0.1
_BEGINS_WITHIN = 3.0
"""Seconds until the first byte of an answer. A panicking kernel writes nothing before it has
stopped the other processors, and waits a second for those that do not obey."""
_ENDS_AFTER = 0.5
"""Seconds without a new byte after which the kernel has said what it had to say."""
_POLL = 0.05


@dataclass(frozen=True)
class Findings:
    """What was found; the files hold it all."""

    condition: Condition
    looks: tuple[tuple[Cpu, ...], ...]
    nmi: str
    """What the kernel said to the interrupt; empty if nothing."""
    console_size: int
    """Bytes on the console before the interrupt: what comes later is not the guest's own doing."""
    events: int
    """The monitor's events before it, likewise."""


class GuestHungError(LabError):
    """A guest that runs and gives no sign of life; ``findings`` is the evidence."""

    def __init__(self, sentence: str, hint: str, findings: Findings, console: str) -> None:
        super().__init__(
            f"{sentence}: {findings.condition}.",
            hint,
            status=Status.HUNG,
            detail=f"{describe(findings.looks)}\n{console}".strip(),
        )
        self.findings = findings


def examine(qmp: Qmp | None, directory: Path, console: Console, deadline: Deadline) -> Findings:
    """Take everything that can be had by the deadline; what fails is left out, never raised.

    Without a monitor there is nothing to be had but the console.
    """
    size = len(console.read_new())
    if qmp is None:
        return Findings(Condition.UNKNOWN, (), "", size, 0)
    running = True
    with contextlib.suppress(LabError):
        status = qmp.execute("query-status", timeout=deadline.left())
        running = not isinstance(status, dict) or bool(status.get("running", True))
    looks = _look(qmp, directory / "registers", deadline)
    found = condition(looks, running=running)
    events = len(qmp.events)
    nmi = _interrupt(qmp, directory / "nmi", console, deadline) if running else ""
    record = {
        "running": running,
        "condition": found.name,
        "processors": [[asdict(cpu) for cpu in look] for look in looks],
        "console_size": size,
    }
    (directory / "hang.json").write_text(json.dumps(record, indent=2) + "\n")
    return Findings(found, looks, nmi, size, events)


def _look(qmp: Qmp, file: Path, deadline: Deadline) -> tuple[tuple[Cpu, ...], ...]:
    texts: list[str] = []
    with contextlib.suppress(LabError):
        for number in range(LOOKS):
            time.sleep(_BETWEEN_LOOKS if number else 0)
            texts.append(registers(qmp, deadline.left()))
    file.write_text("\n".join(texts))
    return tuple(parse_registers(text) for text in texts)


def _interrupt(qmp: Qmp, file: Path, console: Console, deadline: Deadline) -> str:
    """Send the interrupt and collect what the kernel writes to the console in answer."""
    with contextlib.suppress(LabError):
        qmp.execute("inject-nmi", timeout=deadline.left())
    said = _collected(console.read_new, deadline)
    file.write_bytes(said)
    return plain(said)


def _collected(read_new: Callable[[], bytes], deadline: Deadline) -> bytes:
    said = b""
    quiet = deadline.sooner(_BEGINS_WITHIN, "the kernel's answer to begin")
    while not quiet.passed:
        time.sleep(_POLL)
        if data := read_new():
            said += data
            quiet = deadline.sooner(_ENDS_AFTER, "the kernel's answer to go on")
    return said
