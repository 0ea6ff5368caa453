# SPDX-License-Identifier: BSD-2-Clause
"""Sessions in short, as Markdown: what a CI's own page shows of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from lab.report.directory import Session
from lab.report.entry import Entry

MOST = 50
"""Tests that are shown of those that were not good: such a page takes a mebibyte."""
NOTHING = "No test that takes a machine has ended.\n"


def brief(sessions: Sequence[Session]) -> str:
    """Return a table with a line for each session, and below it each test that was not good."""
    if not sessions:
        return NOTHING
    wrong = [entry for session in sessions for entry in session.entries() if not entry.good]
    return "\n".join([*_table(sessions), *_wrong(wrong)]) + "\n"


def _table(sessions: Sequence[Session]) -> Iterator[str]:
    yield "| session | on | tests | seconds |"
    yield "|---|---|---|---|"
    for session in sessions:
        entries = session.entries()
        counts = Counter(entry.verdict or entry.outcome for entry in entries)
        cells = sorted({_engine(entry.cell) for entry in entries if entry.cell})
        told = ", ".join(f"{number} {what}" for what, number in counts.most_common())
        seconds = round(sum(entry.seconds for entry in entries))
        yield _row(_code(session.facts.get("command", "")), ", ".join(cells), told, str(seconds))


def _wrong(wrong: Sequence[Entry]) -> Iterator[str]:
    if not wrong:
        return
    yield from ("", "| test | verdict | why | again |", "|---|---|---|---|")
    for entry in wrong[:MOST]:
        verdict = entry.verdict or entry.outcome
        yield _row(_code(entry.test), verdict, _cell(entry.title), _code(entry.again))
    if len(wrong) > MOST:
        yield from ("", f"And {len(wrong) - MOST} more.")


def _engine(cell: str) -> str:
    """A cell's id without its profile: ``6.1.0-49-amd64/svm-tcg``."""
    return cell.rpartition("/")[0] or cell


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _code(value: object) -> str:
    text = _cell(str(value)).replace("`", "'")
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    """On one line, and without what ends a cell or begins a tag."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
