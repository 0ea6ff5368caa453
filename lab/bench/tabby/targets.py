# SPDX-License-Identifier: BSD-2-Clause
"""What the pool by the MMU must reach, and whether it did."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from lab.bench.record import Check
from lab.bench.tabby.measure import COST, sample_name
from lab.bench.tabby.plan import MADVISE, MMU, Cell

Measured = Mapping[str, Sequence[float]]


def checks_of(samples: Measured, cells: Sequence[Cell], unit: str) -> list[Check]:
    """Judge cells of which something was promised, and that no vCPU has interrupted another."""
    checks = [
        Check(
            cell.name,
            median(samples, cell, MMU, COST),
            cell.wanted,
            unit,
            MADVISE,
            median(samples, cell, MADVISE, COST),
        )
        for cell in cells
        if cell.wanted
    ]
    interrupts = max(max(samples[sample_name(cell, MMU, "flush_interrupts")]) for cell in cells)
    return [*checks, Check("interrupts to flush, by the MMU", interrupts, 0.0, "interrupts")]


def median(samples: Measured, cell: Cell, pool: str, what: str) -> float:
    """Return the median of a series."""
    return statistics.median(samples[sample_name(cell, pool, what)])
