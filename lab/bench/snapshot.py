# SPDX-License-Identifier: BSD-2-Clause
"""``make bench-snapshot``: what a snapshot costs, and the first write behind it, against ``fork``.

One program (``tests/guest/snapshot_costs.c``) runs natively and inside, for memory of several
sizes, in one guest and in turns. Where the engine counts instructions, as the default does, these
are ratios of instructions: cache misses, which make ``fork`` worse on real hardware, and nested
walks, which cost us there, are not in them.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lab.bench.hypervisors import both_loaded, facts, unit_of
from lab.bench.record import Check, Record, interval
from lab.cli import main as run_command
from lab.config import Config
from lab.engine import SVM_ICOUNT
from lab.errors import Status, die
from lab.guest import Guest
from lab.lab import Lab

PROGRAM = "/lab/snapshot_costs"
FORK = "fork"
ENGINES = ("lazy", "epoch", "instant")
SIZES = (64, 128, 256, 512)
"""MiB of memory; the guest has 1024."""
TARGETS = {"lazy": 1000.0, "epoch": 21.0, "instant": 1000.0}
"""How many times cheaper than ``fork``; promised for 4 GiB."""
WRITE_TARGET = 1.0
BYTES_TARGET = 8.0
"""Of page tables for 2 MiB of memory, by ``lazy``."""
SECONDS = 600.0


@dataclass(frozen=True)
class Output:
    """What one run of the program printed, for one size."""

    samples: Mapping[str, Sequence[float]]
    """By ``lazy-64``, ``lazy-write-64``: for one snapshot, for one page."""
    table_bytes: Mapping[str, Sequence[int]]


def parse_output(output: str, wanted: Sequence[str]) -> Output:
    """Read it; dies with ``FAILED`` if any of ``wanted`` is missing."""
    samples: dict[str, list[float]] = {}
    table_bytes: dict[str, list[int]] = {}
    for name, ticks, events in re.findall(r"^cost (\S+) (\d+) (\d+)$", output, re.M):
        samples.setdefault(name, []).append(int(ticks) / int(events))
    for name, count in re.findall(r"^bytes (\S+) (\d+)$", output, re.M):
        table_bytes.setdefault(name, []).append(int(count))
    if samples.keys() != set(wanted) or len({len(values) for values in samples.values()}) != 1:
        die(
            f"{PROGRAM} did not measure all that it should: {', '.join(wanted)}.",
            "compare lab/bench/snapshot.py with tests/guest/snapshot_costs.c",
            status=Status.FAILED,
            detail=output,
        )
    return Output(samples, table_bytes)


def names_of(kinds: Sequence[str], size: int) -> list[str]:
    """Name the series of one size."""
    return [f"{kind}{what}-{size}" for kind in kinds for what in ("", "-write")]


def measure(guest: Guest, backend: str, repetitions: int) -> Output:
    """Run the program everywhere, sizes in turn."""
    samples: dict[str, Sequence[float]] = {}
    table_bytes: dict[str, Sequence[int]] = {}
    for size in SIZES:
        for where, kinds in (("native", (FORK,)), ("inside", ENGINES)):
            command = f"DBOS_BACKEND={backend} {PROGRAM} {where} {repetitions} {size}"
            said = guest.run(command, timeout=SECONDS, check=True).text
            output = parse_output(said, names_of(kinds, size))
            samples |= output.samples
            table_bytes |= output.table_bytes
    return Output(samples, table_bytes)


def checks_of(output: Output, unit: str) -> tuple[Check, ...]:
    """Judge the largest size, and the growth of page tables between the smallest and that."""
    smallest, largest = SIZES[0], SIZES[-1]

    def median(name: str) -> float:
        return statistics.median(output.samples[f"{name}-{largest}"])

    checks = [
        Check(
            f"{name} of {largest} MiB",
            median(name),
            target,
            unit=unit,
            against=FORK,
            baseline=median(against),
        )
        for engine in ENGINES
        for name, against, target in (
            (engine, FORK, TARGETS[engine]),
            (f"{engine}-write", f"{FORK}-write", WRITE_TARGET),
        )
    ]
    grown = max(output.table_bytes[f"lazy-{largest}"]) - max(output.table_bytes[f"lazy-{smallest}"])
    per_range = grown / ((largest - smallest) / 2)
    checks.append(Check("bytes of page tables for 2 MiB, lazy", per_range, BYTES_TARGET, "bytes"))
    return tuple(checks)


def table_of(output: Output, unit: str, engine: str) -> Table:
    """Lay out all that was measured."""
    table = Table(title=f"{unit}, {engine}", title_justify="left")
    table.add_column("MiB", justify="right")
    for heading in (FORK, *ENGINES, "fork, write", *(f"{name}, write" for name in ENGINES)):
        table.add_column(heading, justify="right")
    for size in SIZES:
        names = [f"{kind}{what}-{size}" for what in ("", "-write") for kind in (FORK, *ENGINES)]
        table.add_row(str(size), *(_cell(output.samples[name]) for name in names))
    return table


def _cell(values: Sequence[float]) -> str:
    low, high = interval(values)
    return f"{statistics.median(values):.0f} ({low:.0f}-{high:.0f})"


@click.command()
@click.option("--repetitions", default=11, show_default=True, type=click.IntRange(5))
@click.option("--backend", default="dune", show_default=True)
@click.option("--engine", default=SVM_ICOUNT.name, show_default=True)
@click.option("--image", default="debian-12", show_default=True)
@click.option("--output", default=Path("build/bench"), type=click.Path(path_type=Path))
def main(repetitions: int, backend: str, engine: str, image: str, output: Path) -> None:
    """Measure snapshots and ``fork``; print a table and write ``snapshot-ENGINE.json``."""
    console = Console(highlight=False, width=120)
    lab = Lab(Config.from_environment(), image_name=image, engine_name=engine)
    instead = f"python -m lab.bench.snapshot --engine {SVM_ICOUNT.name}"
    with both_loaded(lab, instead) as booted:
        measured = measure(booted.guest, backend, repetitions)
        guest = {**facts(lab, booted), "backend": backend}
    unit = unit_of(lab)
    checks = checks_of(measured, unit)
    name = f"snapshot-{lab.engine.name}"
    path = Record(name, lab.engine.name, guest, measured.samples, checks).write(output)
    console.print(table_of(measured, unit, lab.engine.name))
    for check in checks:
        ratio = "" if check.ratio is None else f", {check.ratio:.1f} times less than {FORK}"
        met = "met" if check.met else "NOT met"
        console.print(f"{check.name}: {check.value:.0f} {check.unit}{ratio}: {met}")
    click.echo(f"raw samples: {path}")


if __name__ == "__main__":
    run_command(main)
