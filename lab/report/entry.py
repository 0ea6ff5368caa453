# SPDX-License-Identifier: BSD-2-Clause
"""What is kept of one test: a line of ``results.jsonl``, from which all else is made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest

EXCERPT = 8000
"""Characters kept of each text of a failure: its end, which says most. All of it is in files."""

PHASES = ("setup", "call", "teardown")


@dataclass(frozen=True)
class Entry:
    """One test and how it ended."""

    test: str
    """Its id, with the cell in brackets if it has one."""
    outcome: str
    """``passed``, ``failed``, ``error`` or ``skipped``, as pytest counts it."""
    start: float
    """Seconds since the epoch."""
    seconds: float
    worker: str = "main"
    """Which process of the session ran it."""
    verdict: str = ""
    """Empty if it took no machine."""
    title: str = ""
    also: str = ""
    cell: str = ""
    machine: str = ""
    """The machine's directory; it is kept if the test was not good."""
    artefacts: str = ""
    again: str = ""
    """The command that runs it again just as it was run."""
    reason: str = ""
    """Why it was skipped."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """What a failure shows, by name: the traceback, the end of the console, ..."""

    @property
    def name(self) -> str:
        """The test without its cell: what a row of the matrix is about."""
        test = self.test.replace(f"[{self.cell}]", "")
        return test.replace(f"{self.cell}-", "").replace(f"-{self.cell}", "")

    @property
    def good(self) -> bool:
        """Whether there is nothing to look at."""
        return self.outcome in ("passed", "skipped")

    def to_line(self) -> str:
        """Write it as one line."""
        return json.dumps(asdict(self), ensure_ascii=False) + "\n"

    @classmethod
    def from_line(cls, line: str) -> Entry:
        """Read what ``to_line`` wrote."""
        return cls(**json.loads(line))


def entry_of(test: str, phases: Sequence[pytest.TestReport]) -> Entry:
    """Make the entry of a test from the reports of its phases, as far as it came."""
    properties = {
        str(name): str(value) for report in phases for name, value in report.user_properties
    }
    wrong = [report for report in phases if report.failed]
    skipped = [report for report in phases if report.skipped]
    start = min(report.start for report in phases)
    return Entry(
        test=test,
        outcome=_outcome(wrong, skipped, properties.get("verdict", "")),
        start=start,
        seconds=round(max(report.stop for report in phases) - start, 3),
        worker=str(getattr(phases[0], "worker_id", "main")),
        **{
            name: properties.get(name, "")
            for name in ("verdict", "title", "also", "cell", "machine", "artefacts", "again")
        },
        reason=_reason(skipped[0]) if skipped and not wrong else "",
        texts=_texts(wrong),
    )


def read_entries(file: Path) -> tuple[Entry, ...]:
    """Read a ``results.jsonl``; a last line that was cut off in the middle is left out."""
    lines = file.read_text(encoding="utf-8").split("\n")
    return tuple(Entry.from_line(line) for line in lines[:-1])


def _outcome(
    wrong: Sequence[pytest.TestReport], skipped: Sequence[pytest.TestReport], verdict: str
) -> str:
    if wrong:
        return "failed" if wrong[0].when == "call" and verdict != "infra" else "error"
    return "skipped" if skipped else "passed"


def _reason(report: pytest.TestReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", "")) or report.longreprtext


def _texts(wrong: Sequence[pytest.TestReport]) -> dict[str, str]:
    texts = {}
    for report in wrong:
        texts["failure" if report.when == "call" else f"failure in {report.when}"] = (
            report.longreprtext[-EXCERPT:]
        )
        texts |= {name: text[-EXCERPT:] for name, text in report.sections if text}
    return texts
