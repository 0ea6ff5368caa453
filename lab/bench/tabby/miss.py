# SPDX-License-Identifier: BSD-2-Clause
"""Where the instructions of one miss go: the pool, the exit, or the kernel's way to the disk.

A thread by the MMU reads pages at random, of which most are in no frame. Each of these reads is one
exit, so what lies between two VMRUNs is a read and what the thread does until the next one.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.table import Table

from lab.bench.executed import Instruction, Recorder, Symbols, median_round
from lab.bench.tabby.plan import DISK, MMU, POOLS, RECORDS
from lab.errors import Status, die
from lab.session.backend import DUNE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lab.lab import Booted

FRAMES = 128
"""Of 1,456 pages: nearly each read is a miss."""
BEGUN_SECONDS = 2
MOST_FUNCTIONS = 20

BEGIN = """\
/lab/tabby {pool} --workload read --records {records} --file {disk} --open --frames {frames} \\
	--seconds 100000 --quiet --no-checksums >/tmp/endless 2>&1 & pid=$!
sleep {seconds}; kill -0 $pid || {{ cat /tmp/endless >&2; exit 1; }}
echo $pid
"""
END = "kill -KILL {pid}; while kill -0 {pid} 2>/dev/null; do sleep 0.01; done"


def look_at_a_miss(booted: Booted) -> Sequence[Instruction]:
    """Return the instructions of one of many, the median one by their number.

    The disk must have the store of ``RECORDS``.
    """
    command = BEGIN.format(
        backend=DUNE,
        pool=POOLS[MMU],
        records=RECORDS,
        disk=DISK,
        frames=FRAMES,
        seconds=BEGUN_SECONDS,
    )
    pid = booted.guest.run(command, check=True).text.strip()
    recorder = Recorder(booted.machine.qmp, booted.machine.directory / "executed.log")
    try:
        executed = recorder.record()
    except ValueError as error:
        die(
            f"A miss cannot be looked at: {error}.",
            "run it again on a host that is less busy",
            status=Status.FAILED,
        )
    booted.guest.run(END.format(pid=pid), check=True)
    return median_round(executed)


def owners(kallsyms: str, executed: Sequence[Instruction]) -> Counter[str]:
    """Count instructions by whose they are: the process's, a module's, or the kernel's own.

    Modules without the brackets of ``/proc/kallsyms``, which would be markup in a table.
    """
    lines = (line.split() for line in kallsyms.splitlines())
    named = (
        f"{words[0]} {words[1]} {words[3].strip('[]') if words[3:] else 'kernel'}"
        for words in lines
    )
    return Symbols("\n".join(named)).functions(executed)


def miss_table(by_owner: Mapping[str, int], by_function: Counter[str]) -> Table:
    """Lay out whose the instructions are, and which functions have most of them."""
    total = sum(by_owner.values())
    table = Table(title=f"A miss by the MMU: {total} instructions", title_justify="left")
    for heading in ("", "whose", "", "in"):
        table.add_column(heading, justify="left" if heading else "right")
    whose = sorted(by_owner.items(), key=lambda item: -item[1])
    functions = by_function.most_common(MOST_FUNCTIONS)
    for index in range(max(len(whose), len(functions))):
        row = [column[index] if index < len(column) else ("", "") for column in (whose, functions)]
        table.add_row(*(str(cell) for name, count in row for cell in (count, name)))
    return table
