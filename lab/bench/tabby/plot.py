# SPDX-License-Identifier: BSD-2-Clause
"""A drawing of what an operation costs, a bar for each pool, as SVG that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping

from lab.bench.svg import COLOURS, document, line, text

LEFT, WIDTH, ROW, GAP, TOP = 270, 900, 13, 14, 60


def draw(title: str, costs: Mapping[str, Mapping[str, float]]) -> str:
    """Draw, for each cell by its name, a bar for each pool, all to one scale from 0."""
    pools = list(dict.fromkeys(pool for cell in costs.values() for pool in cell))
    most = max(cost for cell in costs.values() for cost in cell.values())
    parts = [text(WIDTH / 2, 22, title, "middle")]
    parts += [text(LEFT + 150 * i, 44, pool, "start", COLOURS[i]) for i, pool in enumerate(pools)]
    y = float(TOP)
    for name, cell in costs.items():
        parts.append(text(LEFT - 8, y + ROW * len(cell) / 2 + 4, name, "end"))
        for pool, cost in cell.items():
            end = LEFT + cost / most * (WIDTH - LEFT - 80)
            parts.append(
                line([(LEFT, y + ROW / 2), (end, y + ROW / 2)], COLOURS[pools.index(pool)])
            )
            parts.append(text(end + 4, y + ROW / 2 + 4, f"{cost:,.0f}", "start"))
            y += ROW
        y += GAP
    return document(WIDTH, round(y) + GAP, parts)
