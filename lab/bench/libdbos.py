# SPDX-License-Identifier: BSD-2-Clause
"""``make bench-libdbos``: what a privileged process pays and saves, against POSIX's way.

One program (``tests/guest/costs.c``) runs natively and inside, on each backend, in one guest and
in turns. Most of it is counted in instructions, on the engine that has them counted. A call to
another processor needs two of these, which that engine cannot give: it is timed on the emulator
that has them, where only the ratio within the run says anything.
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
from lab.engine import SVM_ICOUNT, SVM_TCG
from lab.errors import Status, die
from lab.guest import Guest
from lab.lab import Lab

PROGRAM = "/lab/costs"
NATIVE, BACKENDS = "native", ("dune", "kvm")
PLACES = (NATIVE, *BACKENDS)
SECONDS = 300.0
"""For one run of the program; an idle host needs a few."""


@dataclass(frozen=True)
class Operation:
    """Something a database asks of its machine."""

    title: str
    target: float | None = None
    """How many times cheaper than natively it is to be; ``None``: nothing was promised."""


COUNTED = {
    "getpid": Operation("getpid"),
    "pread": Operation("pread of 4 KiB"),
    "fault": Operation("write fault, handled", 5.0),
    "edit": Operation("rights of a page changed", 20.0),
}
TIMED = {"call": Operation("call to another processor")}

FOOTNOTE = """\
Natively a fault is a SIGSEGV whose handler calls mprotect, and rights are changed by mprotect.
Inside a handler of libdbos's takes the fault, and rights are changed by dbos_pte() and INVLPG.
A call is run by a thread on another processor, and its end waited for: natively by two futexes."""


def sample_name(operation: str, place: str) -> str:
    """Name a series of samples."""
    return f"{operation}, {place}"


def parse_output(
    output: str, place: str, wanted: Mapping[str, Operation]
) -> dict[str, list[float]]:
    """Read the samples that the program printed; dies with ``FAILED`` if any are missing."""
    samples: dict[str, list[float]] = {}
    for name, ticks, events in re.findall(r"^cost (\S+) (\d+) (\d+)$", output, re.M):
        if name in wanted:
            samples.setdefault(sample_name(name, place), []).append(int(ticks) / int(events))
    lengths = {len(values) for values in samples.values()}
    if samples.keys() != {sample_name(name, place) for name in wanted} or len(lengths) != 1:
        die(
            f"{PROGRAM} did not measure all that it should, {place}.",
            "compare COUNTED in lab/bench/libdbos.py with tests/guest/costs.c",
            status=Status.FAILED,
            detail=output,
        )
    return samples


def checks_of(
    samples: Mapping[str, Sequence[float]], operations: Mapping[str, Operation], unit: str
) -> tuple[Check, ...]:
    """Compare each operation inside, on each backend, with the same natively."""
    return tuple(
        Check(
            f"{operation.title}, {backend}",
            statistics.median(samples[sample_name(name, backend)]),
            operation.target or 0.0,
            unit=unit,
            against=NATIVE,
            baseline=statistics.median(samples[sample_name(name, NATIVE)]),
        )
        for name, operation in operations.items()
        for backend in BACKENDS
    )


def measure(
    guest: Guest, repetitions: int, operations: Mapping[str, Operation]
) -> dict[str, list[float]]:
    """Run the program everywhere."""
    samples: dict[str, list[float]] = {}
    for place in PLACES:
        if place == NATIVE:
            command = f"{PROGRAM} native {repetitions}"
        else:
            command = f"DBOS_BACKEND={place} {PROGRAM} inside {repetitions}"
        said = guest.run(command, timeout=SECONDS, check=True).text
        samples |= parse_output(said, place, operations)
    return samples


@dataclass(frozen=True)
class Run:
    """What one machine was asked, and what came of it."""

    engine: str
    unit: str
    guest: Mapping[str, object]
    samples: Mapping[str, Sequence[float]]
    checks: Sequence[Check]


def run_on(
    config: Config,
    image: str,
    engine: str,
    repetitions: int,
    operations: Mapping[str, Operation],
) -> Run:
    """Boot a machine and measure there."""
    lab = Lab(config, image_name=image, engine_name=engine)
    instead = f"python -m lab.bench.libdbos --counted {SVM_ICOUNT.name} --timed {SVM_TCG.name}"
    with both_loaded(lab, instead) as booted:
        samples = measure(booted.guest, repetitions, operations)
        guest = facts(lab, booted)
    unit = unit_of(lab)
    checks = checks_of(samples, operations, unit)
    return Run(lab.engine.name, unit, guest, samples, checks)


@click.command()
@click.option("--repetitions", default=11, show_default=True, type=click.IntRange(5))
@click.option("--counted", default=SVM_ICOUNT.name, show_default=True, help="Engine of most of it.")
@click.option("--timed", default=SVM_TCG.name, show_default=True, help="Engine with two CPUs.")
@click.option("--image", default="debian-12", show_default=True)
@click.option("--output", default=Path("build/bench"), type=click.Path(path_type=Path))
def main(repetitions: int, counted: str, timed: str, image: str, output: Path) -> None:
    """Measure operations natively and inside; print tables and write ``libdbos-*.json``."""
    console = Console(highlight=False, width=120)
    config = Config.from_environment()
    for engine, operations in ((counted, COUNTED), (timed, TIMED)):
        run = run_on(config, image, engine, repetitions, operations)
        name = f"libdbos-{run.engine}"
        path = Record(name, run.engine, run.guest, run.samples, run.checks).write(output)
        console.print(table_of(run, operations))
        click.echo(f"raw samples: {path}")
    click.echo(FOOTNOTE)


def table_of(run: Run, operations: Mapping[str, Operation]) -> Table:
    """Lay out what was measured, and whether it is what was aimed at."""
    table = Table(title=f"{run.unit} for each, {run.engine}", title_justify="left")
    for heading in ("", NATIVE, "95 %"):
        table.add_column(heading, justify="right" if heading else "left")
    for backend in BACKENDS:
        for heading in (backend, "95 %", "ratio"):
            table.add_column(heading, justify="right")
    table.add_column("met")
    checks = iter(run.checks)
    for name, operation in operations.items():
        ours = [next(checks) for _ in BACKENDS]
        row = [operation.title, f"{ours[0].baseline:.0f}", _span(run, name, NATIVE)]
        for check, backend in zip(ours, BACKENDS, strict=True):
            row += [f"{check.value:.0f}", _span(run, name, backend), f"{check.ratio:.2f}"]
        table.add_row(*row, _met(operation, ours))
    return table


def _span(run: Run, name: str, place: str) -> str:
    low, high = interval(run.samples[sample_name(name, place)])
    return f"{low:.0f}-{high:.0f}"


def _met(operation: Operation, checks: Sequence[Check]) -> str:
    if operation.target is None:
        return "-"
    missed = [check for check in checks if not check.met]
    return f"{operation.target:.0f}: " + ("NO" if missed else "yes")


if __name__ == "__main__":
    run_command(main)
