# SPDX-License-Identifier: BSD-2-Clause
"""What a machine's processors are doing, seen from outside: read from QEMU's ``info registers``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.machine.qmp import Qmp

_INTERRUPT_FLAG = 1 << 9
_REGISTER = r"\b{}\s*=\s*([0-9a-f]+)"


@dataclass(frozen=True)
class Cpu:
    """One processor at one moment."""

    number: int
    rip: int
    interrupts: bool
    """RFLAGS.IF. Inside a nested guest it is that guest's."""
    halted: bool
    """Waits in HLT. Under KVM QEMU does not always know."""
    ring: int


class Condition(StrEnum):
    """What several looks at all processors say of the guest. The text ends a sentence."""

    PAUSED = "its machine is paused"
    STUCK = "no processor takes interrupts"
    IDLE = "its processors are idle, so its network or its sshd is dead"
    RUNNING = "its processors run, but what would answer gets no turn or is dead"
    UNKNOWN = "its processors could not be looked at"


def registers(qmp: Qmp, timeout: float) -> str:
    """Return the registers of all processors as QEMU prints them. Dies as ``Qmp.execute`` does."""
    arguments = {"command-line": "info registers -a"}
    return str(qmp.execute("human-monitor-command", arguments, timeout)).replace("\r", "")


def parse_registers(text: str) -> tuple[Cpu, ...]:
    """Take the text of ``info registers -a`` apart; a processor it says too little of is left out.

    In 64-bit mode the names are RIP and RFL; before the kernel has switched to it, EIP and EFL.
    """
    _, *parts = re.split(r"^CPU#(\d+)$", text, flags=re.MULTILINE)
    found = []
    for number, block in zip(parts[::2], parts[1::2], strict=True):
        rip, flags = _value("[RE]IP", block), _value("[RE]FL", block)
        if rip is None or flags is None:
            continue
        found.append(
            Cpu(
                number=int(number),
                rip=rip,
                interrupts=bool(flags & _INTERRUPT_FLAG),
                halted=_value("HLT", block) == 1,
                ring=_value("CPL", block) or 0,
            )
        )
    return tuple(found)


def all_stuck(cpus: Sequence[Cpu]) -> bool:
    """Whether no processor can be interrupted at this moment. Means something only if it lasts."""
    return bool(cpus) and not any(cpu.interrupts for cpu in cpus)


def condition(looks: Sequence[Sequence[Cpu]], *, running: bool) -> Condition:
    """Judge several looks at all processors, some tenths of a second apart.

    ``running`` is what QEMU says of the machine as a whole.
    """
    if not running:
        return Condition.PAUSED
    if not looks or not all(looks):
        return Condition.UNKNOWN
    if all(all_stuck(look) for look in looks):
        return Condition.STUCK
    if all(cpu.halted and cpu.interrupts for look in looks for cpu in look):
        return Condition.IDLE
    return Condition.RUNNING


def describe(looks: Sequence[Sequence[Cpu]]) -> str:
    """Say in a line each what the processors did from the first look to the last."""
    lines = []
    for number in sorted({cpu.number for look in looks for cpu in look}):
        seen = [cpu for look in looks for cpu in look if cpu.number == number]
        last = seen[-1]
        moves = len({cpu.rip for cpu in seen}) > 1
        does = "halted" if last.halted else "moving" if moves else "at one address"
        flag = "on" if last.interrupts else "off"
        lines.append(f"CPU {number}: {does}, interrupts {flag}, ring {last.ring}, RIP {last.rip:x}")
    return "\n".join(lines)


def _value(name: str, block: str) -> int | None:
    found = re.search(_REGISTER.format(name), block)
    return int(found[1], 16) if found else None
