# SPDX-License-Identifier: BSD-2-Clause
"""Boot a machine for what is counted, one for what is timed, measure, and judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console

from lab.bench.executed import Symbols
from lab.bench.hypervisors import PROFILE, facts
from lab.bench.record import Record
from lab.bench.tabby import show
from lab.bench.tabby.measure import COST, Samples, frames_of, load, measure, restore
from lab.bench.tabby.miss import look_at_a_miss, miss_table, owners
from lab.bench.tabby.plan import BASE, COUNTED, DISK, TIMED, Cell
from lab.bench.tabby.plot import draw
from lab.bench.tabby.targets import Measured, checks_of, median
from lab.build import TABBY, build_guest_programs
from lab.cli import main as run_command
from lab.config import Config
from lab.deploy import MODULE, deploy, load_module
from lab.engine import SVM_ICOUNT, SVM_TCG
from lab.lab import Booted, Lab
from lab.session.backend import DUNE, Backend

MEMORY_MIB = 1024


@dataclass(frozen=True)
class Run:
    """One machine."""

    engine: str
    cells: Sequence[Cell]


def measure_all(backend: Backend, cells: Sequence[Cell], repetitions: int) -> Samples:
    """Run all cells, on one pool after the other, and that again and again."""
    samples: Samples = {}
    pages = load(backend.guest, DISK)
    for cell in cells:
        frames = frames_of(cell, pages)
        for seed in range(1, repetitions + 1):
            for pool in cell.pools:
                for name, values in measure(backend, cell, pool, frames, seed).items():
                    samples.setdefault(name, []).extend(values)
        click.echo(f"measured: {cell.name}, {frames} frames of {pages[cell.store]}", err=True)
    return samples


def plot_of(samples: Measured, cells: Sequence[Cell], unit: str, engine: str) -> str:
    """Draw what an operation of each cell costs."""
    costs = {
        cell.name: {pool: median(samples, cell, pool, COST) for pool in cell.pools}
        for cell in cells
    }
    return draw(f"{unit} of an operation, {engine}", costs)


def look(console: Console, booted: Booted) -> dict[str, object]:
    """Look at one miss; show and return where its instructions were."""
    restore(booted.guest, BASE)
    executed = look_at_a_miss(booted)
    kallsyms = booted.guest.run("cat /proc/kallsyms", check=True).text
    by_owner, by_function = owners(kallsyms, executed), Symbols(kallsyms).functions(executed)
    console.print(miss_table(by_owner, by_function))
    return {"miss": {"owners": dict(by_owner), "functions": dict(by_function.most_common())}}


@click.command()
@click.option("--repetitions", default=5, show_default=True, type=click.IntRange(1))
@click.option("--counted", default=SVM_ICOUNT.name, show_default=True, help="Engine of most of it.")
@click.option("--timed", default=SVM_TCG.name, show_default=True, help="Engine with two CPUs.")
@click.option("--only", type=click.Choice(["counted", "timed"]), help="One of the two machines.")
@click.option("--cells", default="", help="Only cells with this in their names.")
@click.option("--image", default="debian-12", show_default=True)
@click.option("--output", default=Path("build/bench"), type=click.Path(path_type=Path))
def main(
    *,
    repetitions: int,
    counted: str,
    timed: str,
    only: str | None,
    cells: str,
    image: str,
    output: Path,
) -> None:
    """Measure pools; print tables, write ``tabby-ENGINE.json``, and a drawing."""
    console = Console(highlight=False, width=140)
    config = Config.from_environment()
    runs = {"counted": Run(counted, COUNTED), "timed": Run(timed, TIMED)}
    for run in runs.values() if only is None else (runs[only],):
        wanted = [cell for cell in run.cells if cells in cell.name]
        if not wanted:
            continue
        lab = Lab(config, image_name=image, engine_name=run.engine)
        with lab.booted(lab.profile(PROFILE), memory_mib=MEMORY_MIB) as booted:
            artefacts = build_guest_programs(lab.config, lab.image, lab.report, TABBY)
            deploy(booted.guest, artefacts)
            load_module(booted.guest, MODULE)
            samples = measure_all(Backend(DUNE, booted.guest), wanted, repetitions)
            miss = look(console, booted) if lab.engine.counts_instructions else {}
            guest = facts(lab, booted)
        unit = "Instructions" if lab.engine.counts_instructions else "Nanoseconds of a processor"
        checks = checks_of(samples, wanted, unit.lower())
        name = f"tabby-{lab.engine.name}"
        path = Record(name, lab.engine.name, guest, samples, checks, miss).write(output)
        console.print(show.cost_table(samples, wanted, unit, lab.engine.name))
        console.print(show.counter_table(samples, wanted, lab.engine.name))
        for check in checks:
            console.print(f"{lab.engine.name}: {show.sentence_of(check)}")
        drawing = output / f"{name}.svg"
        drawing.write_text(plot_of(samples, wanted, unit, lab.engine.name))
        click.echo(f"raw samples: {path}\ndrawing: {drawing}")


if __name__ == "__main__":
    run_command(main)
