# SPDX-License-Identifier: BSD-2-Clause
"""What became of the conformance cases on one engine, and its way through a file.

The engines run in test sessions of their own. Each leaves its outcomes in ``ENGINE.json``; the
matrix is made of these files when all sessions are over.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from lab.conformance.faults import Fault


class Result(StrEnum):
    """What a case is worth."""

    PASSED = "passed"
    SKIPPED = "skipped"
    """What it is about does not exist there, or the engine would not survive it."""
    XFAIL = "xfail"
    """It ran and failed, as it must on this engine."""
    FAILED = "failed"


@dataclass(frozen=True)
class Case:
    """One case, as the sources have it."""

    name: str
    group: str
    """The file it stands in."""


@dataclass(frozen=True)
class Outcome:
    """What one case came to."""

    name: str
    group: str
    result: Result
    text: str
    """What the case said, or why it was not asked."""


def cases_in(sources: Path) -> tuple[Case, ...]:
    """Return all cases, by the macros that end in ``CASE`` at the beginning of a line."""
    return tuple(
        Case(name, path.stem)
        for path in sorted(sources.glob("*.c"))
        for name in re.findall(r"^(?:[A-Z]+_)?CASE\((\w+)", path.read_text(), re.M)
    )


def outcome_of(case: Case, said: str | None, fault: Fault | None) -> Outcome:
    """Judge what the program ``said`` of a case; ``None`` is nothing at all.

    A listed fault that does not show is a failure: the list is wrong, or the case no longer tests
    what it did.
    """
    result, text = Result.FAILED, said or "it did not run"
    if said is None and fault is not None and fault.fatal:
        result, text = Result.SKIPPED, fault.reason
    elif text.startswith("skipped: "):
        result, text = Result.SKIPPED, text.removeprefix("skipped: ")
    elif (text == "ok" or text.startswith("ok, ")) and fault is not None:
        text = f"it passes, and is listed as a fault of the engine: {fault.reason}"
    elif text == "ok" or text.startswith("ok, "):
        result = Result.PASSED
    elif said is not None and fault is not None:
        result, text = Result.XFAIL, f"{fault.reason} ({said})"
    return Outcome(case.name, case.group, result, text)


def read_output(said: str) -> Mapping[str, str]:
    """Return what the program printed, by case: a line for each."""
    return dict(line.split(": ", 1) for line in said.splitlines())


def write_outcomes(outcomes: Sequence[Outcome], directory: Path, engine: str) -> None:
    """Leave them for the matrix, whole or not at all: two workers may come to this together."""
    directory.mkdir(parents=True, exist_ok=True)
    draft = directory / f"{engine}.{os.getpid()}"
    draft.write_text(json.dumps([asdict(outcome) for outcome in outcomes], indent=1) + "\n")
    draft.replace(directory / f"{engine}.json")


def read_outcomes(directory: Path, engine: str) -> tuple[Outcome, ...] | None:
    """Return what that engine's session has left, ``None`` if it has not."""
    try:
        entries = json.loads((directory / f"{engine}.json").read_text())
    except FileNotFoundError:
        return None
    return tuple(Outcome(**{**entry, "result": Result(entry["result"])}) for entry in entries)
