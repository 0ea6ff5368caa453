# SPDX-License-Identifier: BSD-2-Clause
"""Runs of the driver in a guest, and what an operation has taken.

The driver reports the run time of its workers. On the engine that counts instructions a nanosecond
of a thread's run time is one instruction, so that is what they have executed: in the program and in
the guest's kernel on its behalf, and not while they waited for the disk.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lab.bench.tabby.plan import DISK_PAGES, HASH, POOLS, SHARES, STORES, Cell
from lab.errors import Status, die

if TYPE_CHECKING:
    from lab.guest import Guest
    from lab.session.backend import Backend

Samples = dict[str, list[float]]

SECONDS = 600.0
"""For one run; an idle host needs a few."""
COST, SHOOTDOWNS = "cost", "shootdowns"
COUNTERS = (
    *("pages_read", "pages_written", "evictions", "repairs"),
    *("vcpu_entries", "flushed_pages", "flush_interrupts"),
)
"""The driver's, of which a pool that has none reports nothing."""

IMAGE = "/tmp/{store}.image"
SAVE = "dd if={disk} of={image} bs=4k count={pages} 2>/dev/null"
RESTORE = """\
dd if={image} of={file} bs=64k conv=notrunc,fsync 2>/dev/null && echo 3 >/proc/sys/vm/drop_caches
"""
RUN = """\
interrupts() {{
	awk '$1 == "TLB:" {{ for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i }} END {{ print n + 0 }}' \\
		/proc/interrupts
}}
before=$(interrupts)
/lab/tabby --quiet {options} || exit
echo $(($(interrupts) - before))
"""


def load(guest: Guest, disk: str) -> dict[str, int]:
    """Make the stores and keep them, so that each run begins with what all others began with.

    Returns how many pages each has.
    """
    pages = {}
    for store, options in STORES.items():
        command = f"{POOLS[HASH]} {options} --frames {DISK_PAGES} --operations 1"
        made = f"/lab/tabby --quiet {command} --file {disk}"
        reported = json.loads(guest.run(made, timeout=SECONDS, check=True).text)
        pages[store] = int(reported["pages"])
        image = IMAGE.format(store=store)
        guest.run(SAVE.format(disk=disk, image=image, pages=pages[store]), check=True)
    return pages


def measure(backend: Backend, cell: Cell, pool: str, frames: int, seed: int) -> Samples:
    """Run it once; return what it counted for one operation, each with one sample."""
    options = (
        f"{POOLS[pool]} {cell.options} --file {cell.file} --frames {frames} --open --seed {seed} "
        f"--operations {cell.operations} --warm-up {cell.warm_up}"
    )
    restore(backend.guest, cell)
    ran = backend.run(RUN.format(options=options), timeout=SECONDS, check=True)
    return per_operation(ran.text, cell, pool)


def restore(guest: Guest, cell: Cell) -> None:
    """Put the cell's store where it is to be, as it was loaded, and in no cache."""
    image = IMAGE.format(store=cell.store)
    guest.run(RESTORE.format(image=image, file=cell.file), check=True)


def per_operation(said: str, cell: Cell, pool: str) -> Samples:
    """Read what the run printed; dies with ``FAILED`` unless all operations were done.

    Interrupts of shootdowns are the whole program's, warm-up included, and divided by that.
    """
    lines = said.splitlines()
    reported: dict[str, Any] = json.loads(lines[0]) if len(lines) == 2 else {}
    if reported.get("operations") != cell.operations or reported.get("errors") != 0:
        die(
            f"/lab/tabby did not do all of {cell.name}, {pool}.",
            "read what it said below; RUN in lab/bench/tabby/measure.py starts it",
            status=Status.FAILED,
            detail=said,
        )
    counts = {COST: reported["cpu_seconds"] * 1e9}
    counts |= {name: reported[name] for name in COUNTERS if reported[name] is not None}
    each = {name: count / cell.operations for name, count in counts.items()}
    each[SHOOTDOWNS] = int(lines[1]) / (cell.operations + cell.warm_up)
    return {sample_name(cell, pool, name): [value] for name, value in each.items()}


def sample_name(cell: Cell, pool: str, what: str) -> str:
    """Name a series of samples, of one operation."""
    return f"{cell.name}, {pool}, {what}"


def frames_of(cell: Cell, pages: dict[str, int]) -> int:
    """Return how many frames the cell has, for a store of so many pages."""
    return round(pages[cell.store] * SHARES[cell.share])
