# SPDX-License-Identifier: BSD-2-Clause
"""The matrix: groups of cases by engine, and the reason of whatever did not simply pass."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rich.table import Table

from lab.conformance.outcome import Outcome, Result

Outcomes = Mapping[str, Sequence[Outcome]]
"""By engine."""


def tally(outcomes: Iterable[Outcome]) -> str:
    """Count results: ``13, 2 skipped, 1 xfail``; the first number are those that passed."""
    counts = Counter(outcome.result for outcome in outcomes)
    others = [f"{counts[result]} {result}" for result in list(Result)[1:] if counts[result]]
    return ", ".join([str(counts[Result.PASSED]), *others]) if counts else "none"


def matrix_of(outcomes: Outcomes) -> Table:
    """Lay the engines out beside each other, a row for each group of cases."""
    table = Table(title="Conformance: cases passed", title_justify="left")
    for heading in ("group", *outcomes):
        table.add_column(heading)
    every = [outcome for of_engine in outcomes.values() for outcome in of_engine]
    for group in dict.fromkeys(outcome.group for outcome in every):
        cells = ([o for o in of_engine if o.group == group] for of_engine in outcomes.values())
        table.add_row(group, *map(tally, cells), end_section=False)
    table.add_section()
    table.add_row("all", *map(tally, outcomes.values()))
    return table


def reasons_of(outcomes: Outcomes) -> list[str]:
    """Say of everything that did not pass why, equal reasons once, with the cases they are for."""
    lines = []
    for engine, of_engine in outcomes.items():
        cases: dict[tuple[Result, str], list[str]] = {}
        for outcome in of_engine:
            if outcome.result is not Result.PASSED:
                cases.setdefault((outcome.result, outcome.text), []).append(outcome.name)
        lines += [
            f"{engine} {result} {', '.join(names)}: {text}"
            for (result, text), names in sorted(cases.items())
        ]
    return lines


def is_good(outcomes: Outcomes) -> bool:
    """Whether nothing failed that should not have."""
    return not any(o.result is Result.FAILED for of_engine in outcomes.values() for o in of_engine)
