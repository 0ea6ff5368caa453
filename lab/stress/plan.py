# SPDX-License-Identifier: BSD-2-Clause
"""A stress run's operations: all of them follow from one number, the seed.

A step is known by its place in the plan. So a run that was cut down to three steps out of two
hundred is still named by the seed and three numbers, and fits into one command line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Operation:
    """A kind of step. ``render`` makes its shell command, with arguments from the generator."""

    name: str
    render: Callable[[Random], str]
    weight: int = 1
    """How often it is drawn, in relation to the others."""


@dataclass(frozen=True)
class Step:
    """One operation with its arguments, at its place in the plan (from 0)."""

    index: int
    name: str
    command: str


def make_plan(operations: Sequence[Operation], seed: int, count: int) -> tuple[Step, ...]:
    """Draw ``count`` steps. The same operations, seed and count give the same steps anywhere.

    Each step has a generator of its own, seeded by its place: an operation that starts to draw
    one argument more changes its own steps and no others.
    """
    kinds = Random(f"{seed}").choices(
        operations, weights=[operation.weight for operation in operations], k=count
    )
    return tuple(
        Step(index, kind.name, kind.render(Random(f"{seed}/{index}")))
        for index, kind in enumerate(kinds)
    )


def select(plan: Sequence[Step], indices: Sequence[int]) -> tuple[Step, ...]:
    """Take steps out of a plan by their places. Raises ``ValueError`` for one that is not there."""
    missing = [index for index in indices if not 0 <= index < len(plan)]
    if missing:
        raise ValueError(f"the plan has steps 0 to {len(plan) - 1}, not {missing[0]}")
    return tuple(plan[index] for index in indices)
