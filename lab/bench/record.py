# SPDX-License-Identifier: BSD-2-Clause
"""What a measurement leaves behind: the raw samples, and of each target whether it was met."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Check:
    """One target. ``met`` is not a field that anyone could set."""

    name: str
    value: float
    """What was measured, in ``unit``."""
    target: float
    """The most that ``value`` may be; with ``against`` the least that ``ratio`` may be."""
    unit: str = "s"
    against: str = ""
    """Name of what it is compared with, if it is."""
    baseline: float | None = None
    """What that took, in ``unit``; ``None`` if it could not be measured."""

    @property
    def ratio(self) -> float | None:
        """How many times less than the baseline."""
        return None if self.baseline is None else self.baseline / self.value

    @property
    def met(self) -> bool:
        """Whether the target was reached; not if there was nothing to compare with."""
        if not self.against:
            return self.value <= self.target
        return self.ratio is not None and self.ratio >= self.target


@dataclass(frozen=True)
class Record:
    """One run of a measurement, complete enough to judge it elsewhere."""

    name: str
    engine: str
    guest: Mapping[str, object]
    samples: Mapping[str, Sequence[float]]
    """Raw, in the unit of the checks, in the order in which they were taken."""
    checks: Sequence[Check]
    details: Mapping[str, object] = field(default_factory=dict)
    """What else was found out; nothing is judged by it."""

    def write(self, directory: Path) -> Path:
        """Write ``NAME.json`` below ``directory``; return its path."""
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{self.name}.json"
        document = {
            "engine": self.engine,
            "host": host_facts(),
            "guest": dict(self.guest),
            "samples": {name: list(values) for name, values in self.samples.items()},
            "checks": [
                {**asdict(check), "ratio": check.ratio, "met": check.met} for check in self.checks
            ],
            "details": dict(self.details),
        }
        path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
        return path


def host_facts() -> dict[str, object]:
    """Say what this was measured on, and how busy it was."""
    return {
        "machine": platform.machine(),
        "kernel": platform.release(),
        "cpus": len(os.sched_getaffinity(0)),
        "load": os.getloadavg()[0],
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of ``values`` do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return an interval that holds the median with 95 % confidence, or as near as can be.

    By order statistics, so without an assumption about the distribution: how many of n values
    lie below the median is binomial. Below six values that is the whole range, with less than 95 %.
    """
    ordered, count = sorted(values), len(values)
    outside, tail = 0, 1 / 2**count
    while outside + 1 <= (count - 1) // 2:
        tail += math.comb(count, outside + 1) / 2**count
        if 2 * tail > 0.05:
            break
        outside += 1
    return ordered[outside], ordered[count - 1 - outside]
