# SPDX-License-Identifier: BSD-2-Clause
"""How large the model of Tabby's protocol is, each time it is searched.

Two CPUs, three pages and two frames: so whoever comes to the third page evicts one. What CPUs do is
bounded, to any page and in any order; no bound is in the protocol itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.protocol.model import Model, Size
from lab.protocol.tabby_faults import FAULTS

PAGES = 3
FRAMES = 2


@dataclass(frozen=True)
class Cpu:
    """How often a CPU reads without a pin, writes, reads with a shared pin, writes back."""

    reads: int = 0
    writes: int = 0
    shares: int = 0
    flushes: int = 0


@dataclass(frozen=True)
class TabbySize(Size):
    """``errors`` is how many transfers of the disk may fail."""

    cpus: tuple[Cpu, ...]
    errors: int = 0

    def definitions(self) -> dict[str, str]:
        """Return the macros."""
        macros = {
            "CPUS": len(self.cpus),
            "PAGES": PAGES,
            "FRAMES": FRAMES,
            "ERRORS": self.errors,
        }
        arguments = {
            f"CPU{number}": f"{cpu.reads},{cpu.writes},{cpu.shares},{cpu.flushes}"
            for number, cpu in enumerate(self.cpus)
        }
        return {name: str(value) for name, value in macros.items()} | arguments


SIZES = (
    TabbySize(
        "reader",
        "an optimistic reader beside a writer of two pages",
        (Cpu(reads=1), Cpu(writes=2)),
    ),
    TabbySize(
        "reload",
        "an optimistic reader, while three pages come and go clean",
        (Cpu(reads=1), Cpu(shares=3)),
    ),
    TabbySize(
        "refused",
        "an optimistic reader, a writer, and a disk that fails once",
        (Cpu(reads=1), Cpu(writes=1, shares=1)),
        errors=1,
    ),
    TabbySize(
        "writers",
        "two writers and a disk that fails once",
        (Cpu(writes=1), Cpu(writes=1, shares=1)),
        errors=1,
    ),
    TabbySize(
        "write-back",
        "a writer that writes back, beside another",
        (Cpu(writes=1), Cpu(writes=2, flushes=1)),
    ),
    TabbySize(
        "failing-write-back",
        "a writer that writes back to a disk that fails once, beside a shared reader",
        (Cpu(shares=1), Cpu(writes=2, flushes=1)),
        errors=1,
    ),
)

TABBY = Model("tabby", "docs/models/tabby.pml", SIZES, FAULTS)
