# SPDX-License-Identifier: BSD-2-Clause
"""What became of every fault in one test run, as a table."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from rich.table import Table

PROPERTY = "zoo"
"""Under which a test's report carries its row; so it also survives the way from a xdist worker."""


@dataclass(frozen=True)
class Row:
    """One fault, on one kind of machine, and what the lab said of it."""

    fault: str
    machine: str
    expected: str
    verdict: str
    title: str
    seconds: float
    artefacts: str

    def to_text(self) -> str:
        """As a test report's property."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Row:
        """Read what ``to_text`` wrote."""
        return cls(**json.loads(text))


def table_of(rows: Iterable[Row]) -> Table:
    """Lay out the rows; a verdict that is not the expected one says so."""
    table = Table(title="The fault zoo", title_justify="left")
    for heading in ("fault", "machine", "verdict", "title"):
        table.add_column(heading, overflow="fold")
    table.add_column("seconds", justify="right")
    table.add_column("artefacts", overflow="fold")
    for row in rows:
        wrong = row.verdict != row.expected
        verdict = f"{row.verdict}, not {row.expected}" if wrong else row.verdict
        seconds = f"{row.seconds:.1f}"
        table.add_row(
            *(row.fault, row.machine, verdict, row.title, seconds, row.artefacts),
            style="red" if wrong else None,
        )
    return table
