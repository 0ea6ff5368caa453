# SPDX-License-Identifier: BSD-2-Clause
"""A drawing of costs by size, both axes logarithmic, as SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 480
LEFT, RIGHT, TOP, BOTTOM = 90, 150, 50, 60
COLOURS = ("#b00020", "#e07b00", "#8a6d3b", "#777777", "#0057b8", "#008a4e", "#7b2fbf", "#000000")


def draw(
    title: str,
    unit: str,
    sizes: Sequence[int],
    lines: Mapping[str, Sequence[float]],
) -> str:
    """Draw a line for each name: what it has for each of ``sizes``, in MiB. All above 0."""
    values = [value for line in lines.values() for value in line]
    decades = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)

    def x_of(size: float) -> float:
        share = math.log(size / sizes[0]) / math.log(sizes[-1] / sizes[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y_of(value: float) -> float:
        share = (math.log10(value) - decades[0]) / max(1, decades[-1] - decades[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [_text(WIDTH / 2, TOP / 2, title, "middle"), _text(8, TOP - 12, unit, "start")]
    for decade in decades:
        y = y_of(10.0**decade)
        parts.append(_path([(LEFT, y), (WIDTH - RIGHT, y)], "#dddddd"))
        parts.append(_text(LEFT - 8, y + 4, f"{10**decade:,}", "end"))
    for size in sizes:
        parts.append(_text(x_of(size), HEIGHT - BOTTOM + 22, f"{size} MiB", "middle"))
    for (name, line), colour in zip(lines.items(), COLOURS, strict=False):
        points = [(x_of(size), y_of(value)) for size, value in zip(sizes, line, strict=True)]
        parts.append(_path(points, colour))
        parts.append(_text(WIDTH - RIGHT + 8, points[-1][1] + 4, name, "start", colour))
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="13">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = "black") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )


def _path(points: Sequence[tuple[float, float]], colour: str) -> str:
    joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2"/>'
