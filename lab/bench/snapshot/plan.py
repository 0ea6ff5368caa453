# SPDX-License-Identifier: BSD-2-Clause
"""What is measured, where, and what the program must have said of it then."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lab.snappy import ENGINES

FORK, FORK_HUGE = "fork", "fork-huge"
OTHERS = ("mprotect", "uffd-wp")
"""By handlers of write faults, which put pages aside."""
OURS = (*ENGINES, "prioritised")
"""The engines; and ``lazy`` where it is the snapshot that gets the copies."""
PLACES = {"native": (FORK, *OTHERS), "huge": (FORK_HUGE,), "inside": OURS}
"""Methods by the place where the program measures them together."""
METHODS = tuple(method for methods in PLACES.values() for method in methods)
SCANNED = (FORK, FORK_HUGE, *OURS)
"""Those whose snapshots somebody else can read."""

SIZES = (64, 512, 4096)
"""MiB of memory."""
MIDDLE = 512
TIMED = 256
PERCENTS = (1, 10)


@dataclass(frozen=True)
class Part:
    """One thing that the program measures."""

    what: str
    size: int
    most: int
    """Repetitions, of what takes long."""
    series: Sequence[str]
    """Of each method, with its name in the place of ``{}``."""
    methods: Sequence[str] = METHODS

    def names(self, place: str) -> list[str]:
        """Name what the program must have measured there."""
        return [
            series.format(method)
            for method in PLACES[place]
            if method in self.methods
            for series in self.series
        ]


def create_part(size: int) -> Part:
    """Snapshots of so much memory."""
    return Part("create", size, 11 if size <= MIDDLE else 5, (f"{{}}-{size}", f"{{}}-write-{size}"))


WEIGHTS = tuple(f"{what} {{}}-{percent}" for percent in PERCENTS for what in ("tables", "pages"))
BESIDE = ("{}-alone", "{}-transactions", "{}-scans", f"{{}}-age-{TIMED}")
"""One processor goes to and fro: what is said of ages wants two."""
COUNTED_PARTS = (
    *(create_part(size) for size in SIZES),
    Part("writes", MIDDLE, 5, ("{}-1", f"{{}}-table-{MIDDLE}")),
    Part("memory", MIDDLE, 5, WEIGHTS),
    Part("cycle", MIDDLE, 5, (f"{{}}-cycle-{MIDDLE}",)),
    Part("sustained", MIDDLE, 3, ("{}-sustained",)),
    Part("both", TIMED, 3, BESIDE, methods=(FORK, FORK_HUGE, *ENGINES)),
)
COUNTED_MEMORY = 7168
"""MiB of the guest, which has the largest size, what is copied of it, and tables."""
TIMED_PARTS = (
    Part("two", TIMED, 5, ("{}-2",), methods=SCANNED),
    Part("both", TIMED, 5, BESIDE, methods=SCANNED),
)
TIMED_MEMORY = 2048
