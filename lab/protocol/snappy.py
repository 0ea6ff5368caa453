# SPDX-License-Identifier: BSD-2-Clause
"""How large the model of Snappy's protocol is, each time it is searched.

A search covers all interleavings of the vCPUs' steps. What they do is bounded: so many stores,
system calls, cuts and visits, each to any page and in any order. More of one thing has less of the
others beside it, so that each search ends; no bound is in the protocol itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.protocol.model import Model, Size
from lab.protocol.snappy_faults import FAULTS


@dataclass(frozen=True)
class Vcpu:
    """How often a vCPU stores, makes a system call, cuts (and releases), visits a snapshot."""

    stores: int = 0
    calls: int = 0
    cuts: int = 0
    visits: int = 0


@dataclass(frozen=True)
class SnappySize(Size):
    """``places`` is how many snapshots there are at once."""

    vcpus: tuple[Vcpu, ...]
    pages: int = 1
    frames: int = 5
    tables: int = 5
    places: int = 1
    host_stores: int = 1
    keeps_first: bool = False
    """The first snapshot is never released."""

    def definitions(self) -> dict[str, str]:
        """Return the macros; for those who run for ever see docs/models/snappy/for_ever.pml."""
        macros = {
            "VCPUS": len(self.vcpus),
            "PAGES": self.pages,
            "FRAMES": self.frames,
            "TABLES": self.tables,
            "SNAPSHOTS": self.places,
            "CUTS": sum(vcpu.cuts for vcpu in self.vcpus),
            "STORES_OF_HOST": self.host_stores,
            "WITH_CALLS": int(any(vcpu.calls for vcpu in self.vcpus)),
            "WITH_VISITS": int(any(vcpu.visits for vcpu in self.vcpus)),
            "KEEPS_FIRST": int(self.keeps_first),
            "FOR_EVER": int(self.runs_for_ever),
        }
        arguments = {
            f"VCPU{number}": f"{vcpu.stores},{vcpu.calls},{vcpu.cuts},{vcpu.visits}"
            for number, vcpu in enumerate(self.vcpus)
        }
        return {name: str(value) for name, value in macros.items()} | arguments


SIZES = (
    SnappySize(
        "main",
        "two writers, one snapshot core, two pages",
        (Vcpu(stores=1), Vcpu(stores=1), Vcpu(cuts=1, visits=1)),
        pages=2,
        frames=6,
        complete=True,
    ),
    SnappySize(
        "cuts",
        "two writers, and two snapshots one after the other",
        (Vcpu(stores=1), Vcpu(stores=1), Vcpu(cuts=2)),
    ),
    SnappySize(
        "calls",
        "system calls that read and write, beside a writer that cuts and looks",
        (Vcpu(stores=1, calls=1), Vcpu(stores=1, cuts=1, visits=1)),
        complete=True,
    ),
    SnappySize(
        "calls-in-cuts",
        "system calls over two cuts, beside a writer that cuts",
        (Vcpu(stores=1, calls=1), Vcpu(stores=1, cuts=2)),
        frames=6,
    ),
    SnappySize(
        "places",
        "two snapshots at once, made by two vCPUs, released in any order",
        (Vcpu(stores=1, cuts=1), Vcpu(stores=1, cuts=1)),
        frames=6,
        tables=6,
        places=2,
    ),
    SnappySize(
        "kept",
        "the first snapshot stays while others come and go",
        (Vcpu(stores=2), Vcpu(stores=1, cuts=3)),
        frames=6,
        tables=6,
        places=2,
        keeps_first=True,
    ),
    SnappySize(
        "visitors",
        "two vCPUs write in main and in one snapshot",
        (Vcpu(stores=1, visits=1), Vcpu(stores=1, visits=1), Vcpu(cuts=1)),
        frames=6,
    ),
    SnappySize(
        "visiting-calls",
        "system calls from a snapshot, while main writes",
        (Vcpu(calls=1, visits=1), Vcpu(stores=1, cuts=1)),
        frames=6,
    ),
    SnappySize(
        "batch",
        "requests of several pages in one flush",
        (Vcpu(stores=2), Vcpu(stores=2, cuts=1)),
        pages=2,
        frames=6,
    ),
    SnappySize(
        "for-ever",
        "writers that never go to the host: eventual reclaim, under weak fairness",
        (Vcpu(stores=1), Vcpu(stores=1), Vcpu(cuts=1)),
        runs_for_ever=True,
    ),
    SnappySize(
        "main-large",
        "main, and one more cut",
        (Vcpu(stores=1), Vcpu(stores=1), Vcpu(cuts=2, visits=1)),
        pages=2,
        frames=7,
        large=True,
    ),
    SnappySize(
        "calls-large",
        "calls-in-cuts, and the writer is not who cuts",
        (Vcpu(stores=1), Vcpu(calls=1), Vcpu(cuts=2)),
        frames=6,
        large=True,
    ),
    SnappySize(
        "visitors-large",
        "visitors, one of which makes a system call too",
        (Vcpu(stores=1, visits=1), Vcpu(stores=1, calls=1, visits=1), Vcpu(cuts=1)),
        frames=6,
        large=True,
    ),
    SnappySize(
        "places-large",
        "two snapshots at once, three cuts, a visitor",
        (Vcpu(stores=2), Vcpu(stores=1, cuts=3, visits=1)),
        frames=6,
        tables=6,
        places=2,
        large=True,
    ),
)


SNAPPY = Model("snappy", "docs/models/snappy.pml", SIZES, FAULTS)
