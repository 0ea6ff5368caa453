# SPDX-License-Identifier: BSD-2-Clause
"""From a long run that fails to a short one that fails too.

Delta debugging (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input", IEEE
TSE 28(2), 2002): leave out ever smaller pieces, keep what still fails. Every try costs a clean
machine, so what was tried is not tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

Fails = Callable[[tuple[int, ...]], bool]
"""Whether the run of these elements, in this order, on a clean machine, fails."""


def shrink(elements: Sequence[int], fails: Fails, may_go_on: Callable[[], bool]) -> tuple[int, ...]:
    """Return a subsequence that fails and of which, time permitting, no element can be left out.

    ``elements`` is known to fail and is not tried. ``may_go_on`` is asked before each try; once
    it says no, the shortest failing run so far is the answer. A failure that does not show every
    time is a matter for ``fails``, which may try more than once.
    """
    tried: set[tuple[int, ...]] = set()

    def still_fails(candidate: tuple[int, ...]) -> bool:
        if candidate in tried or not may_go_on():
            return False
        tried.add(candidate)
        return fails(candidate)

    current = tuple(elements)
    pieces = 2
    while len(current) >= 2 and may_go_on():
        shorter = next(filter(still_fails, _without_a_piece(current, pieces)), None)
        if shorter is not None:
            current, pieces = shorter, max(pieces - 1, 2)
        elif pieces < len(current):
            pieces = min(2 * pieces, len(current))
        else:
            break
    return current


def _without_a_piece(elements: tuple[int, ...], pieces: int) -> list[tuple[int, ...]]:
    """Cut into ``pieces`` of nearly equal length; return what is left without each of them."""
    cuts = [round(len(elements) * piece / pieces) for piece in range(pieces + 1)]
    return [elements[:begin] + elements[end:] for begin, end in pairwise(cuts) if begin < end]
