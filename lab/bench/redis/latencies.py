# SPDX-License-Identifier: BSD-2-Clause
"""What ``redis-load`` (``apps/redis/load.c``) has written down: each request, and the save."""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from lab.bench.record import percentile
from lab.errors import Status, die

_RECORD = struct.Struct("<QQ")
NS_A_MS = 1e6


@dataclass(frozen=True)
class Load:
    """One run of it; all in milliseconds since its start."""

    due: tuple[float, ...]
    took: tuple[float, ...]
    """Of each request: from when it was due until its answer was there."""
    saved_from: float
    saved_to: float
    """The BGSAVE: when it was asked for, and when it had ended."""

    @property
    def during(self) -> list[float]:
        """What requests took that were due while the save was going on."""
        return [
            took
            for due, took in zip(self.due, self.took, strict=True)
            if self.saved_from <= due < self.saved_to
        ]

    @property
    def before(self) -> list[float]:
        """What requests took that had been answered when the save was asked for."""
        return [
            took
            for due, took in zip(self.due, self.took, strict=True)
            if due + took < self.saved_from
        ]

    @property
    def save(self) -> float:
        """How long the save took."""
        return self.saved_to - self.saved_from


def parse_load(said: str, records: bytes) -> Load:
    """Read its last line and its file; dies with ``FAILED`` if they are not of one another."""
    end = re.search(r"^redis-load: (\d+) requests, saved from (\d+) to (\d+)$", said, re.M)
    if end is None or len(records) != int(end[1]) * _RECORD.size:
        die(
            "redis-load did not come to its end.",
            "read what it said below; apps/redis/load.c says what it writes",
            status=Status.FAILED,
            detail=said,
        )
    pairs = [(due / NS_A_MS, took / NS_A_MS) for due, took in _RECORD.iter_unpack(records)]
    due, took = zip(*pairs, strict=True) if pairs else ((), ())
    return Load(due, took, int(end[2]) / NS_A_MS, int(end[3]) / NS_A_MS)


def worst(values: list[float]) -> dict[str, float]:
    """The figures by which a save is judged."""
    return {
        "p50": percentile(values, 0.5),
        "p95": percentile(values, 0.95),
        "p99.9": percentile(values, 0.999),
        "max": max(values),
    }
