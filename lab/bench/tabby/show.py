# SPDX-License-Identifier: BSD-2-Clause
"""Tables of what was measured, for people."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from lab.bench.record import Check, interval
from lab.bench.tabby.measure import COST, COUNTERS, SHOOTDOWNS, sample_name
from lab.bench.tabby.plan import MADVISE, MMU, POOLS, Cell
from lab.bench.tabby.targets import Measured, median


def cost_table(samples: Measured, cells: Sequence[Cell], unit: str, engine: str) -> Table:
    """Lay out what an operation costs, with the interval of the median below it."""
    table = Table(title=f"{unit} of an operation, {engine}", title_justify="left")
    table.add_column("")
    for heading in (*POOLS, "ratio", "wanted"):
        table.add_column(heading, justify="right")
    for cell in cells:
        ratio = median(samples, cell, MADVISE, COST) / median(samples, cell, MMU, COST)
        costs = [_cost(samples, cell, pool) for pool in POOLS]
        table.add_row(cell.name, *costs, f"{ratio:.2f}", f"{cell.wanted:g}" if cell.wanted else "")
    return table


def _cost(samples: Measured, cell: Cell, pool: str) -> str:
    if pool not in cell.pools:
        return ""
    low, high = interval(samples[sample_name(cell, pool, COST)])
    return f"{median(samples, cell, pool, COST):.0f}\n{low:.0f}-{high:.0f}"


def counter_table(samples: Measured, cells: Sequence[Cell], engine: str) -> Table:
    """Lay out what was counted besides, of the two kinds that are compared."""
    table = Table(title=f"Counted for one operation, {engine}", title_justify="left")
    table.add_column("")
    for heading in (*COUNTERS, SHOOTDOWNS):
        table.add_column(heading.replace("_", "\n"), justify="right")
    for cell in cells:
        for pool in (MMU, MADVISE):
            row = [
                f"{median(samples, cell, pool, what):.3g}"
                if sample_name(cell, pool, what) in samples
                else ""
                for what in (*COUNTERS, SHOOTDOWNS)
            ]
            table.add_row(f"{cell.name}, {pool}", *row)
    return table


def sentence_of(check: Check) -> str:
    """Say of one target what was measured, and whether that is enough."""
    met = "met" if check.met else "NOT met"
    figure = f"{check.name}: {check.value:.0f} {check.unit}"
    if check.ratio is None:
        return f"{figure}, target {check.target:g}: {met}"
    compared = f"{check.ratio:.2f} times less than by {check.against}"
    return f"{figure}, {compared}, target {check.target:g}: {met}"
