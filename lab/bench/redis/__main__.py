# SPDX-License-Identifier: BSD-2-Clause
"""Boot a machine for what is timed, one for what is counted, measure, and judge."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click
from rich.console import Console

from lab.bench.hypervisors import facts
from lab.bench.record import Check, Record
from lab.bench.redis import requests, saves
from lab.bench.redis.plot import draw
from lab.bench.redis.server import IMAGE, redis_guest
from lab.cli import main as run_command
from lab.config import Config
from lab.engine import SVM_ICOUNT, SVM_TCG
from lab.lab import Lab

SIZES = "256,1024,2048"


def say(console: Console, checks: Iterable[Check]) -> None:
    """Say of each target what was measured, and whether that is enough."""
    for check in checks:
        compared = "" if check.ratio is None else f", {check.ratio:.2f} times less than by fork"
        met = "met" if check.met else "NOT met"
        figure = f"{check.name}: {check.value:.1f} {check.unit}{compared}"
        console.print(f"{figure}, target {check.target:.2f}: {met}")


def time_saves(
    *, console: Console, lab: Lab, sizes: list[int], repetitions: int, rate: int, output: Path
) -> None:
    """Measure saves under load."""
    with redis_guest(lab, f"python -m lab.bench.redis --timed {SVM_TCG.name}", sizes[-1]) as booted:
        samples, last = saves.measure_saves(booted, sizes, repetitions, rate)
        guest = facts(lab, booted)
    checks = saves.checks_of(samples, sizes)
    name = f"redis-{lab.engine.name}"
    record = Record(name, lab.engine.name, guest, samples, checks, {"requests a second": rate})
    path = record.write(output)
    console.print(saves.table_of(samples, sizes, lab.engine.name))
    say(console, checks)
    drawing = output / f"{name}.svg"
    title = f"Longest waits around a BGSAVE of {sizes[-1]} MiB, {lab.engine.name}"
    drawing.write_text(draw(title, {way: save.load for way, save in last.items()}))
    click.echo(f"raw samples: {path}\ndrawing: {drawing}")


def count_requests(console: Console, lab: Lab, repetitions: int, output: Path) -> None:
    """Count what a request costs, with nothing saved."""
    instead = f"python -m lab.bench.redis --counted {SVM_ICOUNT.name}"
    with redis_guest(lab, instead, 0) as booted:
        samples = requests.measure_requests(booted.guest, repetitions)
        guest = facts(lab, booted)
    checks = requests.checks_of(samples)
    name = f"redis-{lab.engine.name}"
    path = Record(name, lab.engine.name, guest, samples, checks).write(output)
    console.print(requests.table_of(samples, lab.engine.name))
    say(console, checks)
    click.echo(f"raw samples: {path}")


@click.command()
@click.option("--repetitions", default=3, show_default=True, type=click.IntRange(1))
@click.option("--sizes", default=SIZES, show_default=True, help="In MiB, of values.")
@click.option("--rate", default=500, show_default=True, help="Requests a second.")
@click.option("--timed", default=SVM_TCG.name, show_default=True, help="Engine for the saves.")
@click.option("--counted", default=SVM_ICOUNT.name, show_default=True, help="For instructions.")
@click.option("--only", type=click.Choice(["counted", "timed"]), help="One of the two machines.")
@click.option("--output", default=Path("build/bench"), type=click.Path(path_type=Path))
def main(
    *,
    repetitions: int,
    sizes: str,
    rate: int,
    timed: str,
    counted: str,
    only: str | None,
    output: Path,
) -> None:
    """Measure saves under load and requests; print tables, write ``redis-*.json``, a drawing."""
    console = Console(highlight=False, width=120)
    config = Config.from_environment()
    if only != "counted":
        lab = Lab(config, image_name=IMAGE, engine_name=timed)
        mibs = [int(size) for size in sizes.split(",")]
        time_saves(
            console=console,
            lab=lab,
            sizes=mibs,
            repetitions=repetitions,
            rate=rate,
            output=output,
        )
    if only != "timed":
        lab = Lab(config, image_name=IMAGE, engine_name=counted)
        count_requests(console, lab, repetitions, output)


if __name__ == "__main__":
    run_command(main)
