# SPDX-License-Identifier: BSD-2-Clause
"""A drawing of costs by size, both axes logarithmic, as SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from lab.bench.svg import COLOURS, document, line, text

WIDTH, HEIGHT = 760, 480
LEFT, RIGHT, TOP, BOTTOM = 90, 150, 50, 60


def draw(
    title: str,
    unit: str,
    sizes: Sequence[int],
    lines: Mapping[str, Sequence[float]],
) -> str:
    """Draw a line for each name: what it has for each of ``sizes``, in MiB. All above 0."""
    values = [value for values_of in lines.values() for value in values_of]
    decades = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)

    def x_of(size: float) -> float:
        share = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        share = (math.log10(value) - decades[0]) / max(1, decades[-1] - decades[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [text(WIDTH / 2, TOP / 2, title, "middle"), text(8, TOP - 12, unit, "start")]
    for decade in decades:
        y = y_of(10.0**decade)
        parts.append(line([(LEFT, y), (WIDTH - RIGHT, y)], "#dddddd"))
        parts.append(text(LEFT - 8, y + 4, f"{10**decade:,}", "end"))
    for size in sizes:
        parts.append(text(x_of(size), HEIGHT - BOTTOM + 22, f"{size} MiB", "middle"))
    for (name, values_of), colour in zip(lines.items(), COLOURS, strict=False):
        points = [(x_of(size), y_of(value)) for size, value in zip(sizes, values_of, strict=True)]
        parts.append(line(points, colour))
        parts.append(text(WIDTH - RIGHT + 8, points[-1][1] + 4, name, "start", colour))
    return document(WIDTH, HEIGHT, parts)
