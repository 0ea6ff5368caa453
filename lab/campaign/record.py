# SPDX-License-Identifier: BSD-2-Clause
"""What an attempt at a cell leaves, as it travels from the host it ran on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Outcome(StrEnum):
    """What a cell came to."""

    PASSED = "passed"
    FAILED = "failed"
    """Of the tests some are not good: a result as well."""
    UNFINISHED = "unfinished"
    """The host or the lab failed, or time ran out: nothing is known, so it is no result."""


@dataclass(frozen=True)
class CellRecord:
    """An attempt at a cell. ``files`` are by name, small enough to be carried in memory."""

    outcome: Outcome
    status: int | None
    """Of pytest, as ``subprocess`` gives it; None if it was ended because it took too long."""
    reason: str
    """Why there is no result, in one sentence; empty if there is one."""
    started: float
    """Seconds since the epoch, by the clock of its host."""
    seconds: float
    host: str
    worker: str = ""
    """Its name in the cluster."""
    files: Mapping[str, bytes] = field(default_factory=dict)

    def facts(self) -> dict[str, object]:
        """Return all but the files."""
        return {
            "outcome": self.outcome,
            "status": self.status,
            "reason": self.reason,
            "started": self.started,
            "seconds": self.seconds,
            "host": self.host,
            "worker": self.worker,
        }
