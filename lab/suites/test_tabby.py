# SPDX-License-Identifier: BSD-2-Clause
"""A tree on a pool by the MMU: YCSB and TPC-C, several times as large as the pool, nothing lost.

``tabby --check`` looks at each value that it reads and, when the run has ended, at all that there
is; TPC-C's consistency conditions (clause 3.3.2) are its check. Then another process opens what is
on the disk, goes on from there, and checks again. Counters say that pages were evicted, and that no
vCPU has interrupted another to flush.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from lab.guest import Guest
from lab.session.backend import DUNE, Backend

pytestmark = pytest.mark.lab_boot("seed")

DISK = "/dev/vda"
"""A machine's scratch disk, of 4,096 pages: with O_DIRECT, and put back with the machine."""
FRAMES = 64
THREADS = 2
TURNOVER = 3
"""Each frame has had that many pages at least, or the pool was no smaller than what it was for."""
SECONDS = 240.0


@dataclass(frozen=True)
class Load:
    """What is put there, and done to it."""

    workload: str
    operations: int
    options: str
    writes: str
    """The counter of what it changes."""


YCSB_A = Load("ycsb-a", 1200, "--records 8000 --distribution zipfian", "updates")
YCSB_E = Load("ycsb-e", 150, "--records 8000", "inserts")
TPCC = Load("tpcc", 150, "--scale 0.004 --warehouses 2", "new_orders")


def run(tabby: Backend, pool: str, load: Load, *more: str) -> dict[str, Any]:
    """Return what the driver counted; it found all as it must be."""
    ran = tabby.run(
        f"/lab/tabby --pool {pool} --workload {load.workload} {load.options} "
        f"--operations {load.operations} --file {DISK} --frames {FRAMES} --threads {THREADS} "
        f"--check --quiet {' '.join(more)}",
        timeout=SECONDS,
    )
    assert ran.status == 0, ran.stderr.decode()
    counted: dict[str, Any] = json.loads(ran.text)
    assert counted["checked"]
    assert counted["direct"]
    assert counted["operations"] == load.operations
    assert counted[load.writes] > 0
    assert counted["pages"] > 3 * FRAMES
    assert counted["evictions"] > TURNOVER * FRAMES
    return counted


@pytest.mark.parametrize("load", [YCSB_A, YCSB_E, TPCC], ids=lambda load: load.workload)
def test_by_the_mmu(tabby: Backend, load: Load) -> None:
    first = run(tabby, "mmu", load)
    again = run(tabby, "mmu", load, "--open", "--seed 2")
    for counted in (first, again):
        assert counted["repairs"] > 0
        assert counted["flushed_pages"] >= counted["evictions"]
        assert (counted["flush_interrupts"], counted["full_flushes"]) == (0, 0)
    assert (first["load_seconds"] > 0, again["load_seconds"]) == (True, 0)
    assert again["pages"] >= first["pages"]


@pytest.mark.parametrize("pool", ["hash", "madvise"])
def test_other_pools_inside(tabby_guest: Guest, pool: str) -> None:
    """They need no vCPU, and do on one what they do without; and one opens what another wrote."""
    tabby = Backend(DUNE, tabby_guest)
    run(tabby, "mmu", YCSB_A)
    inside = run(tabby, pool, YCSB_A, "--open", "--inside")
    assert inside["flush_interrupts"] == 0
    assert (inside["repairs"], inside["inside"]) == (0, True)
    assert not run(tabby, pool, YCSB_A, "--open")["inside"]
