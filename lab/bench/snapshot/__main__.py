# SPDX-License-Identifier: BSD-2-Clause
"""Boot a machine for what is counted, one for what is timed, measure, and judge."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lab.bench.hypervisors import both_loaded, facts, unit_of
from lab.bench.record import Check, Record, interval, percentile
from lab.bench.snapshot.output import Samples, parse_output
from lab.bench.snapshot.plan import (
    COUNTED_MEMORY,
    COUNTED_PARTS,
    FORK,
    METHODS,
    PLACES,
    SIZES,
    TIMED_MEMORY,
    TIMED_PARTS,
    Part,
)
from lab.bench.snapshot.plot import draw
from lab.bench.snapshot.targets import WORST, Measured, counted_checks, timed_checks
from lab.cli import main as run_command
from lab.config import Config
from lab.engine import SVM_ICOUNT, SVM_TCG
from lab.guest import Guest
from lab.lab import Lab

PROGRAM = "/lab/snapshot_costs"
SECONDS = 900.0
"""For one run of the program: one part, in one place."""


@dataclass(frozen=True)
class Run:
    """One machine."""

    engine: str
    memory_mib: int
    parts: Sequence[Part]
    judge: Callable[[Measured, str], Sequence[Check]]


def measure(guest: Guest, backend: str, parts: Sequence[Part], repetitions: int) -> Samples:
    """Run the program, one part after the other; in each, places in turn."""
    samples: Samples = {}
    for part in parts:
        for place in PLACES:
            names = part.names(place)
            if not names:
                continue
            times = min(repetitions, part.most)
            command = f"{PROGRAM} {place} {part.what} {times} {part.size}"
            environment = f"DBOS_BACKEND={backend}"
            said = guest.run(f"{environment} {command}", timeout=SECONDS, check=True).text
            samples |= parse_output(said, names)
            click.echo(f"measured: {place} {part.what} of {part.size} MiB", err=True)
    return samples


def table_of(samples: Measured, parts: Sequence[Part], title: str) -> Table:
    """Lay out all that was measured: medians, or of single writes the mean and the worst."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for method in METHODS:
        table.add_column(method, justify="right")
    for part in parts:
        for series in part.series:
            cells = [_cell(samples.get(series.format(method))) for method in METHODS]
            heading = series.replace("{}-", "").replace("{}", "")
            table.add_row(f"{part.what} {heading}", *cells)
    return table


def _cell(values: Sequence[float] | None) -> str:
    if not values:
        return ""
    if len(values) >= 1 / (1 - WORST):
        return f"mean {statistics.mean(values):.0f}\np99.9 {percentile(values, WORST):.0f}"
    low, high = interval(values)
    return f"{_number(statistics.median(values))}\n{_number(low)}-{_number(high)}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.4g}"


def sentence_of(check: Check) -> str:
    """Say of one target what was measured, and whether that is enough."""
    met = "met" if check.met else "NOT met"
    if check.ratio is None:
        return f"{check.name}: {_number(check.value)} {check.unit}, target {check.target:g}: {met}"
    ratio = f"{check.ratio:.2f} times less than {check.against}, target {check.target:g}"
    return f"{check.name}: {_number(check.value)} {check.unit}, {ratio}: {met}"


def plot_of(samples: Measured, unit: str, engine: str) -> str:
    """Draw what a snapshot costs by size."""
    lines: Mapping[str, Sequence[float]] = {
        method: [statistics.median(samples[f"{method}-{size}"]) for size in SIZES]
        for method in METHODS
    }
    return draw(f"One snapshot, {engine}", unit, SIZES, lines)


@click.command()
@click.option("--repetitions", default=11, show_default=True, type=click.IntRange(5))
@click.option("--backend", default="dune", show_default=True)
@click.option("--counted", default=SVM_ICOUNT.name, show_default=True, help="Engine of most of it.")
@click.option("--timed", default=SVM_TCG.name, show_default=True, help="Engine with two CPUs.")
@click.option("--only", type=click.Choice(["counted", "timed"]), help="One of the two machines.")
@click.option("--image", default="debian-12", show_default=True)
@click.option("--output", default=Path("build/bench"), type=click.Path(path_type=Path))
def main(
    *,
    repetitions: int,
    backend: str,
    counted: str,
    timed: str,
    only: str | None,
    image: str,
    output: Path,
) -> None:
    """Measure snapshots; print tables and write ``snapshot-ENGINE.json``, and a drawing."""
    console = Console(highlight=False, width=140)
    config = Config.from_environment()
    runs = {
        "counted": Run(counted, COUNTED_MEMORY, COUNTED_PARTS, counted_checks),
        "timed": Run(timed, TIMED_MEMORY, TIMED_PARTS, timed_checks),
    }
    for run in runs.values() if only is None else (runs[only],):
        lab = Lab(config, image_name=image, engine_name=run.engine)
        instead = f"python -m lab.bench.snapshot --counted {SVM_ICOUNT.name} --timed {SVM_TCG.name}"
        with both_loaded(lab, instead, memory_mib=run.memory_mib) as booted:
            samples = measure(booted.guest, backend, run.parts, repetitions)
            guest = {**facts(lab, booted), "backend": backend}
        unit = unit_of(lab)
        checks = run.judge(samples, unit)
        name = f"snapshot-{lab.engine.name}"
        path = Record(name, lab.engine.name, guest, samples, checks).write(output)
        console.print(table_of(samples, run.parts, f"{unit}, {lab.engine.name}"))
        for check in checks:
            console.print(f"{lab.engine.name}: {sentence_of(check)}")
        click.echo(f"raw samples: {path}")
        if f"{FORK}-{SIZES[0]}" in samples:
            drawing = output / f"{name}.svg"
            drawing.write_text(plot_of(samples, unit, lab.engine.name))
            click.echo(f"drawing: {drawing}")


if __name__ == "__main__":
    run_command(main)
