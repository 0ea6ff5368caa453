# SPDX-License-Identifier: BSD-2-Clause
"""What a guest executed in a while, instruction by instruction, by QEMU's own log.

While it is on, QEMU translates each instruction by itself, disassembles it once (``in_asm``), and
notes the address each time it is executed (``exec``; ``nochain``: really each time).
"""

from __future__ import annotations

import re
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from lab.deadline import Deadline
from lab.machine.qmp import Qmp

VMRUNS = 50
"""How many to wait for: enough that a timer interrupt or two make no difference."""
_SECONDS = 120.0
"""They take one on an idle host; each instruction is 80 bytes of log."""
_POLL = 0.05
_AT_ONCE = 1 << 20

_EXECUTED = re.compile(r"Trace \d+: \S+ \[[0-9a-f]+/([0-9a-f]+)/")
_DISASSEMBLED = re.compile(r"0x([0-9a-f]+):\s+(?:[0-9a-f]{2} )+\s*(\S.*?)\s*$")
_USER_END = 1 << 47


@dataclass(frozen=True)
class Instruction:
    """One that was executed."""

    address: int
    text: str
    """As in ``mov %rax, %rbx``; empty if QEMU did not say."""

    @property
    def mnemonic(self) -> str:
        """Without operands and prefixes."""
        words = [word for word in self.text.split() if word not in {"lock", "rep", "repne"}]
        return words[0] if words else ""


class Reader:
    """Takes a log apart as it grows. ``texts``: what is known of instructions from earlier ones."""

    def __init__(self, texts: dict[int, str]) -> None:
        self.vmruns = 0
        self._addresses: list[int] = []
        self._texts = texts
        self._held = ""

    def take(self, text: str) -> None:
        """Read on; the last line may be half a line."""
        *lines, self._held = (self._held + text).split("\n")
        for line in lines:
            if found := _EXECUTED.match(line):
                address = int(found[1], 16)
                self._addresses.append(address)
                self.vmruns += self._texts.get(address, "").startswith("vmrun")
            elif found := _DISASSEMBLED.match(line):
                self._texts[int(found[1], 16)] = found[2]

    def executed(self) -> Sequence[Instruction]:
        """Return all instructions so far, in the order in which they were executed."""
        return [Instruction(address, self._texts.get(address, "")) for address in self._addresses]


class Recorder:
    """Records what one machine executes, as often as wanted."""

    def __init__(self, qmp: Qmp, log: Path) -> None:
        self._qmp = qmp
        self._log = log
        # QEMU disassembles when it translates, so what it has executed one by one before comes
        # without its text.
        self._texts: dict[int, str] = {}

    def record(self, vmruns: int = VMRUNS) -> Sequence[Instruction]:
        """Log all that is executed until there were so many VMRUNs.

        The guest goes on, a hundred times slower meanwhile. Raises ``ValueError`` if they do not
        come.
        """
        reader = Reader(self._texts)
        deadline = Deadline.after(_SECONDS, "a look at single instructions")
        try:
            self._tell(f"logfile {self._log}", "singlestep on", "log in_asm,exec,nochain")
            with self._log.open(errors="replace") as lines:
                while reader.vmruns < vmruns:
                    if deadline.passed:
                        raise ValueError(f"no {vmruns} VMRUNs came within {deadline}")
                    if text := lines.read(_AT_ONCE):
                        reader.take(text)
                    else:
                        time.sleep(_POLL)
            self._tell("log none", "singlestep off")
            return reader.executed()
        finally:
            self._log.unlink(missing_ok=True)

    def _tell(self, *commands: str) -> None:
        for command in commands:
            self._qmp.execute("human-monitor-command", {"command-line": command})


def median_round(executed: Sequence[Instruction]) -> Sequence[Instruction]:
    """Return what lies between two VMRUNs, of all such pieces the one of median length."""
    rounds = sorted(_rounds(executed), key=len)
    return rounds[len(rounds) // 2]


def _rounds(executed: Sequence[Instruction]) -> Iterator[Sequence[Instruction]]:
    at = [index for index, one in enumerate(executed) if one.mnemonic == "vmrun"]
    for begin, end in pairwise(at):
        yield executed[begin:end]


COSTLY = {
    "VMRUN": r"vmrun\b",
    "VMLOAD, VMSAVE": r"vm(load|save)\b",
    "CLGI, STGI": r"(clgi|stgi)\b",
    "WRMSR": r"wrmsr\b",
    "RDMSR": r"rdmsr\b",
    "XSAVE, XRSTOR": r"(xsave|xrstor|fxsave|fxrstor)",
    "XGETBV, XSETBV": r"x[gs]etbv\b",
    "CPUID": r"cpuid\b",
    "MOV CR, DR": r"mov\S*\s.*%(cr|db|dr)\d",
    "fences": r"[lms]fence\b",
    "XCHG with memory": r"xchg.*\(",
    "IRET": r"iret",
}
"""Instructions whose price is not one of many: what a count of instructions does not show."""


def costly(executed: Iterable[Instruction]) -> dict[str, int]:
    """Count those of ``COSTLY``."""
    texts = Counter(one.text for one in executed)
    counts = {
        name: sum(times for text, times in texts.items() if re.match(pattern, text))
        for name, pattern in COSTLY.items()
    }
    return {name: count for name, count in counts.items() if count}


class Symbols:
    """The functions of a kernel and its modules, from ``/proc/kallsyms``."""

    def __init__(self, kallsyms: str) -> None:
        lines = (line.split() for line in kallsyms.splitlines())
        found = sorted((int(words[0], 16), words[2]) for words in lines if words[1] in "tTwW")
        self._addresses = [address for address, _ in found]
        self._names = [name for _, name in found]

    def functions(self, executed: Iterable[Instruction]) -> Counter[str]:
        """Count instructions by the function they lie in."""
        return Counter(self._name(one.address) for one in executed)

    def _name(self, address: int) -> str:
        index = bisect_right(self._addresses, address) - 1
        return "(process or guest)" if address < _USER_END or index < 0 else self._names[index]
