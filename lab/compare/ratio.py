# SPDX-License-Identifier: BSD-2-Clause
"""The ratio of a percentile in two samples, its bootstrap interval, and whether to believe it.

The bootstrap's distribution is not sampled, it is computed: the k-th smallest of n values that are
drawn with replacement from n is at most the i-th smallest of these when at least k of n draws are
among the i smallest, which is binomial. So the same records always give the same interval.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.bench.record import percentile

LEAST = 6
"""Samples in a run. Below that an interval for the median has less than 95 %."""
NEGLIGIBLE = 1e-12
"""A probability that changes no bound: tails are far larger."""


class Finding(StrEnum):
    """What can be said of a measure."""

    MORE = "more"
    LESS = "less"
    ALIKE = "no difference"
    """The interval has 1 in it."""
    UNSTEADY = "unsteady"
    """What is the same differs as much: see ``Ratio.alike``."""
    TOO_FEW = "too few"
    """The interval of one run alone would have to go beyond its least or its greatest sample."""
    NO_RATIO = "no ratio"
    """A sample is 0 or less."""


JUDGED = frozenset({Finding.MORE, Finding.LESS, Finding.ALIKE})


@dataclass(frozen=True)
class Ratio:
    """``value`` is the second run's percentile by the first's; ``low`` to ``high`` its interval."""

    finding: Finding
    value: float = math.nan
    low: float = math.nan
    high: float = math.nan
    alike: float = math.nan
    """The greatest ratio, at least 1, between two samples of the same code: the halves of a run,
    and the first run and another one of its code if there is."""


@dataclass(frozen=True)
class Settings:
    """Which percentile is compared, and how much of the bootstrap is left out at either end."""

    share: float = 0.5
    tail: float = 0.025


def compare(
    first: Sequence[float],
    second: Sequence[float],
    settings: Settings,
    again: Sequence[float] | None = None,
) -> Ratio:
    """Compare two samples, each in the order in which it was taken.

    ``again`` is one more of what the first is of.
    """
    samples = [first, second] if again is None else [first, second, again]
    if not all(enough(len(values), settings) for values in samples):
        return Ratio(Finding.TOO_FEW)
    # A bootstrap draws nothing but what is there: what is positive in the sample always is.
    if min(map(min, samples)) <= 0:
        return Ratio(Finding.NO_RATIO)
    share = settings.share
    value = percentile(second, share) / percentile(first, share)
    low, high = interval(first, second, settings)
    same = [_halves(first), _halves(second)]
    if again is not None:
        same.append((first, again))
    ratios = [percentile(one, share) / percentile(other, share) for one, other in same]
    alike = max(max(ratio, 1 / ratio) for ratio in ratios)
    return Ratio(_finding(value, low, high, alike), value, low, high, alike)


def enough(count: int, settings: Settings) -> bool:
    """Say whether so many samples lie on both sides of the percentile but for ``tail``."""
    outside = max(settings.share, 1 - settings.share) ** count
    return count >= LEAST and outside <= settings.tail


def _finding(value: float, low: float, high: float, alike: float) -> Finding:
    if low <= 1 <= high:
        return Finding.ALIKE
    if max(value, 1 / value) <= alike:
        return Finding.UNSTEADY
    return Finding.MORE if value > 1 else Finding.LESS


def interval(
    first: Sequence[float], second: Sequence[float], settings: Settings
) -> tuple[float, float]:
    """Return the bounds of the ratio, the second by the first."""
    below, above = (resampled(values, settings.share) for values in (first, second))
    ratios = sorted(
        (value / by, weight * other)
        for value, weight in above.items()
        for by, other in below.items()
    )
    return _bound(ratios, settings.tail), _bound(ratios[::-1], settings.tail)


def _bound(ratios: Sequence[tuple[float, float]], tail: float) -> float:
    seen = 0.0
    for ratio, weight in ratios:
        seen += weight
        if seen >= tail:
            return ratio
    return ratios[-1][0]


def resampled(values: Sequence[float], share: float) -> Mapping[float, float]:
    """Return what the percentile of a resample can be, with the probability of each."""
    count, rank = len(values), max(1, math.ceil(share * len(values)))
    found: dict[float, float] = {}
    before = 0.0
    for position, value in enumerate(sorted(values), 1):
        here = _at_least(rank, count, position)
        if here - before > NEGLIGIBLE:
            found[value] = found.get(value, 0.0) + here - before
            before = here
    return found


def _at_least(successes: int, count: int, favourable: int) -> float:
    """Return the probability of so many among ``count`` draws, each with favourable/count."""
    chance = favourable / count
    distance = successes / count - chance
    if math.exp(-2 * count * distance**2) < NEGLIGIBLE:  # Hoeffding's inequality
        return 0.0 if distance > 0 else 1.0
    if favourable == count:
        return 1.0
    logarithm = math.lgamma(count + 1) - math.lgamma(successes + 1)
    logarithm -= math.lgamma(count - successes + 1)
    logarithm += successes * math.log(chance) + (count - successes) * math.log1p(-chance)
    term = total = math.exp(logarithm)
    for number in range(successes, count):
        term *= (count - number) / (number + 1) * chance / (1 - chance)
        total += term
    return min(1.0, total)


def _halves(values: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """Halve a sample by time: if the halves differ, the run has drifted, or is too small."""
    middle = len(values) // 2
    return values[:middle], values[middle:]
