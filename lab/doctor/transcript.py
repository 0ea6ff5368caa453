# SPDX-License-Identifier: BSD-2-Clause
"""What the probe said: its serial lines, taken apart.

The grammar stands at the top of ``probe.S``. The text comes from a machine that may be broken in
any way, so nothing here raises: a line that does not fit the grammar is not evidence, and is
passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TypeAlias

Registers: TypeAlias = tuple[int, int, int, int]
"""EAX, EBX, ECX, EDX of one CPUID leaf."""


class Stage(IntEnum):
    """How far the probe came; later is greater."""

    SILENT = 0
    BOOT_SECTOR = 1
    LONG_MODE = 2
    LOOPS_DONE = 3
    DONE = 4


@dataclass(frozen=True)
class Line:
    """One complete serial line and when it arrived, in seconds since the process started."""

    seconds: float
    text: str


@dataclass(frozen=True)
class Round:
    """One round of the ring-0 loop; ``seconds`` is when it ended, since the loops began."""

    number: int
    instructions: int
    seconds: float


@dataclass(frozen=True)
class Vmrun:
    """One guest run with SVM, as its VMCB tells."""

    nested_paging: bool
    exit_code: int
    rax: int

    @property
    def worked(self) -> bool:
        """The guest ran (it left 0x600d in RAX) and ended as it should: VMMCALL, 0x81."""
        return self.exit_code == 0x81 and self.rax == 0x600D


@dataclass(frozen=True)
class Fault:
    """An exception that the probe did not expect."""

    vector: int
    error: int
    rip: int
    cr2: int


@dataclass(frozen=True)
class Transcript:
    """Everything the probe reported. Absent facts are empty or ``None``."""

    stage: Stage = Stage.SILENT
    leaves: Mapping[tuple[int, int], Registers] = field(default_factory=dict)
    """CPUID by leaf and subleaf."""
    msrs: Mapping[int, int | None] = field(default_factory=dict)
    """By number; ``None`` where reading it faulted."""
    rounds: tuple[Round, ...] = ()
    vmrun: Vmrun | None = None
    vmx: tuple[str, ...] = ()
    """What the VT-x trial said, in order: ``vmxon-ok``, ``vmxoff-ok`` when all went well."""
    svm: tuple[str, ...] = ()
    """Why there was no ``vmrun``, if the CPU claims SVM and would not do it."""
    fault: Fault | None = None
    disk_error: bool = False

    @property
    def loop_seconds(self) -> float:
        """How long the finished rounds took together."""
        return self.rounds[-1].seconds if self.rounds else 0.0

    @property
    def mips(self) -> float | None:
        """Millions of ring-0 instructions a second over all rounds; ``None`` before the first."""
        if not self.rounds or self.loop_seconds <= 0:
            return None
        return sum(turn.instructions for turn in self.rounds) / self.loop_seconds / 1e6


def parse_transcript(lines: Iterable[Line]) -> Transcript:
    """Read the lines of one probe, in the order they came."""
    said = [
        Line(line.seconds, line.text.strip().removeprefix("probe: "))
        for line in lines
        if line.text.lstrip().startswith("probe: ")
    ]
    texts = [line.text for line in said]
    rounds = _rounds(said)
    faults = _matches(_EXCEPTION, texts)
    vmruns = _matches(_VMRUN, texts)
    return Transcript(
        stage=_stage(texts, rounds),
        leaves={
            (leaf, subleaf): (eax, ebx, ecx, edx)
            for leaf, subleaf, eax, ebx, ecx, edx in _matches(_CPUID, texts)
        },
        msrs=_msrs(texts),
        rounds=rounds,
        vmrun=next((Vmrun(bool(npt), code, rax) for npt, code, rax in vmruns), None),
        vmx=_remarks("vmx ", texts),
        svm=_remarks("svm ", texts),
        fault=next((Fault(*numbers) for numbers in faults), None),
        disk_error="disk-error" in texts,
    )


def _pattern(words: str) -> re.Pattern[str]:
    """Compile a line of the grammar: W is a number of 32 bits, L one of 64.

    The widths are fixed, so a line that was cut short or lost a character never passes for a
    smaller number.
    """
    return re.compile(words.replace("W", "([0-9a-f]{8})").replace("L", "([0-9a-f]{16})"))


_CPUID = _pattern("cpuid W W W W W W")
_LOOP = _pattern("loop W W")
_MSR = _pattern("msr W L")
_MSR_FAULT = _pattern("msr W fault")
_VMRUN = _pattern("svm vmrun W L L")
_EXCEPTION = _pattern("exception W W L L")


def _matches(pattern: re.Pattern[str], texts: Iterable[str]) -> list[tuple[int, ...]]:
    found = (pattern.fullmatch(text) for text in texts)
    return [tuple(int(number, 16) for number in match.groups()) for match in found if match]


def _msrs(texts: Sequence[str]) -> dict[int, int | None]:
    msrs: dict[int, int | None] = {number: None for (number,) in _matches(_MSR_FAULT, texts)}
    for number, value in _matches(_MSR, texts):
        msrs[number] = value
    return msrs


def _remarks(prefix: str, texts: Iterable[str]) -> tuple[str, ...]:
    """Collect the one-word lines about one extension."""
    rests = (text.removeprefix(prefix) for text in texts if text.startswith(prefix))
    return tuple(rest for rest in rests if " " not in rest)


def _rounds(said: Iterable[Line]) -> tuple[Round, ...]:
    """Take the rounds 1, 2, 3, ... after a start line; a gap makes the rest worthless."""
    start: float | None = None
    rounds: list[Round] = []
    for line in said:
        if line.text == "loop 00000000 start":
            start = line.seconds
        for number, instructions in _matches(_LOOP, [line.text]):
            if start is None or number != len(rounds) + 1:
                return tuple(rounds)
            rounds.append(Round(number, instructions, line.seconds - start))
    return tuple(rounds)


def _stage(texts: Sequence[str], rounds: Sequence[Round]) -> Stage:
    if "done" in texts:
        return Stage.DONE
    if len(rounds) >= ROUNDS:
        return Stage.LOOPS_DONE
    if "long-mode" in texts:
        return Stage.LONG_MODE
    return Stage.BOOT_SECTOR if "boot-sector" in texts else Stage.SILENT


ROUNDS = 7
"""How many rounds the probe does; ``ROUNDS`` in ``probe.S``."""
