# SPDX-License-Identifier: BSD-2-Clause
"""What is measured: pools, and what is done on each of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

DISK = "/dev/vda"
"""The machine's scratch disk, of 4,096 pages: a virtio disk, used with O_DIRECT."""
FILE = "/tmp/store"
"""Of memory: all that is left of a transfer is a copy by the guest's kernel."""
DISK_PAGES = 4096

MMU, HASH, MADVISE, MADVISE_INSIDE = "mmu", "hash", "madvise", "madvise inside"
POOLS = {
    MMU: "--pool mmu",
    HASH: "--pool hash",
    MADVISE: "--pool madvise",
    MADVISE_INSIDE: "--pool madvise --inside",
}
"""Options of the driver. Only the first needs to be inside; the last pays for it as well."""
NATIVE = (MMU, HASH, MADVISE)

RECORDS = 40000
NO_CHECKSUMS = " --no-checksums"
"""The published designs have none, and all pools pay the same for them."""
CHECKED = "ycsb-checksums"
STORES = {
    "ycsb": f"--workload ycsb-c --records {RECORDS}{NO_CHECKSUMS}",
    CHECKED: f"--workload ycsb-c --records {RECORDS}",
    "tpcc": f"--workload tpcc --scale 0.03 --warehouses 1{NO_CHECKSUMS}",
}
"""What the driver is told to load, on a pool by a hash table that has room for all of it."""

IN_MEMORY = "5/4"
SHARES = {IN_MEMORY: 1.25, "1/2": 0.5, "1/4": 0.25}
"""Frames for a page of what was loaded."""


@dataclass(frozen=True)
class Cell:
    """One thing that all pools do."""

    name: str
    store: str
    """Which of ``STORES`` it begins with."""
    options: str
    """Of the driver."""
    share: str
    """Which of ``SHARES``: the number of frames."""
    operations: int
    warm_up: int
    wanted: float = 0.0
    """How many times less than by ``MADVISE`` it is to cost by the MMU; 0: nothing was promised."""
    pools: tuple[str, ...] = tuple(POOLS)
    file: str = DISK


def ycsb(letter: str, distribution: str, share: str, operations: int = 1500) -> Cell:
    """YCSB of that letter. In memory it is warm when each page was needed once."""
    inside = share == IN_MEMORY
    return Cell(
        f"ycsb-{letter} {distribution} {share}",
        "ycsb",
        f"--workload ycsb-{letter} --distribution {distribution} --records {RECORDS}{NO_CHECKSUMS}",
        share,
        operations,
        warm_up=12000 if inside else operations,
        wanted=1.0 if inside else {"c": 4.0, "a": 2.5}[letter],
    )


def tpcc(share: str) -> Cell:
    """TPC-C, its full mix; an operation is a transaction."""
    wanted = 0.0 if share == IN_MEMORY else 2.0
    return Cell(f"tpcc {share}", "tpcc", STORES["tpcc"], share, 300, warm_up=100, wanted=wanted)


BASE = replace(ycsb("c", "uniform", "1/2"), wanted=0.0, pools=NATIVE)
"""What the parts of an operation are looked for in, each by leaving it away or adding it."""
PARTS = (
    replace(
        BASE,
        name="the same, with checksums",
        store=CHECKED,
        options=BASE.options.replace(NO_CHECKSUMS, ""),
    ),
    replace(BASE, name="the same, pages evicted one by one", options=f"{BASE.options} --batch 1"),
    replace(BASE, name="the same, store in memory, no device", file=FILE),
    replace(
        BASE,
        name="pages at random, no tree",
        options=BASE.options.replace("--workload ycsb-c", "--workload read"),
    ),
)
COUNTED = (
    *(
        ycsb(letter, distribution, share)
        for letter in ("c", "a")
        for distribution in ("uniform", "zipfian")
        for share in SHARES
    ),
    *(tpcc(share) for share in SHARES),
    *PARTS,
)
"""By one thread."""

THREADS = 2
TIMED = tuple(
    replace(
        cell,
        name=f"{cell.name}, {THREADS} threads",
        options=f"{cell.options} --threads {THREADS}",
        pools=NATIVE,
    )
    for cell in (
        *(ycsb(letter, "uniform", share, 1000) for letter in ("c", "a") for share in SHARES),
        replace(tpcc("1/2"), operations=200, warm_up=50),
    )
)
"""By as many threads as the machine has processors for programs."""
