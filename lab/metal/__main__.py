# SPDX-License-Identifier: BSD-2-Clause
"""``python -m lab.metal -- ARGUMENTS-OF-PYTEST``: the suites, then the measurements."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from lab.cli import main as run_command
from lab.config import Config
from lab.doctor.diagnosis import diagnose
from lab.engine import Engine
from lab.errors import LabError, Status, die
from lab.metal.engine import metal_engine
from lab.metal.facts import read_facts
from lab.metal.processors import choose_processors
from lab.metal.record import BENCH, SUITES, MetalRecord, Step
from lab.report.directory import Session

MACHINE = 3
"""Processors of one machine: two, and one more where its kernel keeps the first for itself."""
LAB = ("-c", "from lab.cli import main; main()")


@click.command()
@click.option("--feature", type=click.Choice(["svm", "vmx"]), help="What this machine must have.")
@click.option("--output", default=Path("build/metal"), type=click.Path(path_type=Path))
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def metal(feature: str | None, output: Path, arguments: tuple[str, ...]) -> int:
    """Run all of it on the hardware's own virtualization; end with status 3 where there is none."""
    config = Config.from_environment()
    record = MetalRecord(output, read_facts(), config.source)
    try:
        engine = metal_engine(diagnose(config).engines, feature or "")
    except LabError as error:
        record.refused = error.message
        record.write()
        raise
    allowed = os.sched_getaffinity(0)
    record.engine = engine.name
    record.pinned = config.pin or choose_processors(Path("/"), allowed, MACHINE)
    # The record of a session is written once, into a folder that has none.
    shutil.rmtree(output / SUITES, ignore_errors=True)
    for command in commands(engine, output.absolute(), arguments):
        record.steps.append(run_step(command, config.source, record.pinned))
        record.write()
    return verdict(record, engine)


def commands(engine: Engine, output: Path, arguments: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Return what is run, without the interpreter: suites one after another, each machine alone."""
    required = f"{engine.vendor.value},{engine.accelerator.value}"
    where = ("--output", str(output / BENCH))
    name = engine.name
    yield (*LAB, "image")
    yield (
        *("-m", "pytest", *arguments, "--lab-engine", name, "--lab-require", required),
        *("--lab-record", str(output / SUITES)),
    )
    yield ("-m", "lab.bench.lab", "--engine", name, *where)
    yield ("-m", "lab.bench.hv", "--engine", name, *where)
    yield ("-m", "lab.bench.libdbos", "--counted", name, "--timed", name, *where)
    yield ("-m", "lab.bench.snapshot", "--counted", name, "--timed", name, *where)


def run_step(command: Sequence[str], source: Path, pinned: Sequence[int]) -> Step:
    """Run one; a machine's processors stay on ``pinned``."""
    shown = shlex.join(command).replace(shlex.join(LAB), "dbos-lab")
    print(f"$ {shown}", flush=True)
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command],
        cwd=source,
        env={**os.environ, "DBOS_LAB_PIN": ",".join(map(str, pinned))},
        check=False,
    )
    return Step(shown, done.returncode, time.monotonic() - begun)


def verdict(record: MetalRecord, engine: Engine) -> int:
    """Return the exit status. What has not run on the engine is no reason to be content."""
    wrong = [step.command for step in record.steps if step.status != 0]
    if wrong:
        die(
            f"{len(wrong)} of {len(record.steps)} steps went wrong: {wrong[0]}",
            f"less {record.output}/summary.md",
            status=Status.FAILED,
        )
    entries = Session(record.output / SUITES).entries()
    if not any(entry.outcome == "passed" and engine.name in entry.cell for entry in entries):
        die(
            f"No test has passed on {engine.name}.",
            f"less {record.output}/summary.md",
            status=Status.FAILED,
        )
    print(f"metal: {engine.name}, {len(entries)} tests, {record.output}/summary.md")
    return Status.OK


if __name__ == "__main__":
    run_command(metal)
