# SPDX-License-Identifier: BSD-2-Clause
"""A session as one page that needs nothing but itself: it opens from a file, and fits in a mail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, select_autoescape

from lab.report.entry import Entry

WIDTH = 1000
"""Of the timeline, in its own units."""
TEXTS = 1_000_000
"""Characters for the texts of all failures together. The page has to open, and fit in a mail."""


@dataclass(frozen=True)
class Bar:
    """A test in the timeline, in its units."""

    entry: Entry
    lane: int
    left: float
    width: float


def render(facts: Mapping[str, object], entries: Sequence[Entry]) -> str:
    """Return the page as HTML."""
    environment = Environment(
        loader=PackageLoader("lab.report", "."),
        autoescape=select_autoescape(default=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    wrong = [entry for entry in entries if not entry.good]
    return environment.get_template("page.html").render(
        facts=facts,
        entries=entries,
        counts=Counter(entry.verdict or entry.outcome for entry in entries),
        cells=list(dict.fromkeys(entry.cell for entry in entries if entry.cell)),
        matrix=matrix(entries),
        wrong=wrong,
        most=TEXTS // max(sum(len(entry.texts) for entry in wrong), 1),
        bars=timeline(entries),
        lanes=list(dict.fromkeys(entry.worker for entry in entries)),
        width=WIDTH,
        seconds=_span(entries),
    )


def matrix(entries: Sequence[Entry]) -> Mapping[str, Mapping[str, Entry]]:
    """Return the tests that take a machine by name and cell, in the order in which they ran."""
    rows: dict[str, dict[str, Entry]] = {}
    for entry in entries:
        if entry.cell:
            rows.setdefault(entry.name, {})[entry.cell] = entry
    return rows


def timeline(entries: Sequence[Entry]) -> list[Bar]:
    """Lay the tests out in time, one lane for each process of the session."""
    if not entries:
        return []
    begun = min(entry.start for entry in entries)
    unit = WIDTH / max(_span(entries), 0.001)
    lanes = list(dict.fromkeys(entry.worker for entry in entries))
    return [
        Bar(
            entry,
            lanes.index(entry.worker),
            round((entry.start - begun) * unit, 2),
            round(max(entry.seconds * unit, 1), 2),
        )
        for entry in entries
    ]


def _span(entries: Sequence[Entry]) -> float:
    """Seconds from the beginning of the first test to the end of the last."""
    if not entries:
        return 0.0
    end = max(entry.start + entry.seconds for entry in entries)
    return end - min(entry.start for entry in entries)
