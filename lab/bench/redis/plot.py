# SPDX-License-Identifier: BSD-2-Clause
"""A drawing of how long clients waited around a save, by each way to have a child."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lab.bench.redis.latencies import Load
from lab.bench.redis.server import FORK
from lab.bench.svg import COLOURS, document, line, text

WIDTH, HEIGHT = 900, 420
LEFT, RIGHT, TOP, BOTTOM = 80, 20, 50, 60
BUCKETS = 200
FORKED, OURS = COLOURS[0], COLOURS[4]


def draw(title: str, loads: Mapping[str, Load]) -> str:
    """Draw of each bucket of time the longest wait; 0 is when the save was asked for."""
    begin = min(-load.saved_from for load in loads.values())
    end = max(max(load.due) - load.saved_from for load in loads.values())
    waits = {way: _longest(load, begin, end) for way, load in loads.items()}
    all_waits = [wait for points in waits.values() for _, wait in points]
    decades = range(
        math.floor(math.log10(min(all_waits))), math.ceil(math.log10(max(all_waits))) + 1
    )

    def x_of(time: float) -> float:
        return LEFT + (time - begin) / (end - begin) * (WIDTH - LEFT - RIGHT)

    def y_of(wait: float) -> float:
        share = (math.log10(wait) - decades[0]) / max(1, decades[-1] - decades[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    parts = [text(WIDTH / 2, TOP / 2, title, "middle"), text(8, TOP - 12, "ms", "start")]
    for decade in decades:
        y = y_of(10.0**decade)
        parts.append(line([(LEFT, y), (WIDTH - RIGHT, y)], "#dddddd"))
        parts.append(text(LEFT - 8, y + 4, f"{10.0**decade:g}", "end"))
    for i, (way, load) in enumerate(loads.items()):
        colour = FORKED if way == FORK else OURS
        parts.append(line([(x_of(time), y_of(wait)) for time, wait in waits[way]], colour))
        ended = x_of(load.save)
        parts.append(line([(ended, HEIGHT - BOTTOM), (ended, HEIGHT - BOTTOM + 8)], colour))
        words = f"{way}, saved in {load.save:.0f} ms"
        parts.append(text(LEFT + 280 * i, HEIGHT - 12, words, "start", colour))
    parts.append(text(x_of(0), HEIGHT - BOTTOM + 22, "BGSAVE", "middle"))
    return document(WIDTH, HEIGHT, parts)


def _longest(load: Load, begin: float, end: float) -> list[tuple[float, float]]:
    """Return the longest wait of each bucket, at its middle; none where no request was due."""
    width = (end - begin) / BUCKETS
    longest: dict[int, float] = {}
    for due, took in zip(load.due, load.took, strict=True):
        bucket = int((due - load.saved_from - begin) / width)
        longest[bucket] = max(took, longest.get(bucket, 0.0))
    return [(begin + (bucket + 0.5) * width, longest[bucket]) for bucket in sorted(longest)]
