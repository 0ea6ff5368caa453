# SPDX-License-Identifier: BSD-2-Clause
"""``make bench-lab``: what a clean machine costs, booted or restored, and what it costs a peer.

Everything is measured in one run on one kernel, in rounds: a boot under each profile, restores
of both machines, and one start of the peer, so that a host that is busy for a while is so for all.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lab.bench.peer import Peer
from lab.bench.record import Check, Record, interval, percentile
from lab.cli import main as run_command
from lab.config import Config
from lab.lab import Booted, Lab
from lab.machine.snapshot import Snapshot
from lab.reset import Keeper, steps_of
from lab.state import State

PROFILES = ("seed", "stock")
COMMAND = "uname -r"

BOOT, RESTORE, COMMAND_AFTER = "boot to command", "restore", "restore to command"
PEER = "virtme-ng to command"

Samples = dict[str, list[float]]


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1))
@click.option("--restores", default=12, show_default=True, help="Of each machine in each round.")
@click.option("--peer", "vng", type=click.Path(path_type=Path), help="The program vng.")
@click.option("--engine", default=None)
@click.option("--output", default=Path("build/bench"), type=click.Path(path_type=Path))
def main(rounds: int, restores: int, vng: Path | None, engine: str | None, output: Path) -> None:
    """Measure boots, restores and the peer; print a table and write ``lab.json``."""
    lab = Lab(Config.from_environment(), image_name="debian-12", engine_name=engine)
    _ = lab.artefacts
    peer = Peer(vng, lab.image) if vng is not None else None
    samples: Samples = {}
    keepers = {name: _keeper(lab, name, samples) for name in PROFILES}
    arguments = {}
    try:
        for number in range(rounds):
            click.echo(f"round {number + 1} of {rounds}", err=True)
            if peer is not None:
                _measure_peer(peer, samples)
            for name, keeper in keepers.items():
                keeper.clean(State.GUEST, fresh=True)
                for _ in range(restores):
                    booted = _measure_restore(keeper, name, samples)
                arguments[name] = " ".join(booted.machine.spec.arguments)
                keeper.close()
    finally:
        for keeper in keepers.values():
            keeper.close()
    guest = {
        "kernel": lab.image.kernel_release,
        "boot_arguments": arguments,
        "image_digest": lab.image.digest,
        "peer": peer.version if peer is not None else None,
    }
    record = Record("lab", lab.engine.name, guest, samples, checks_of(samples))
    path = record.write(output)
    Console(highlight=False).print(samples_table(record), checks_table(record))
    click.echo(f"raw samples: {path}")


def _keeper(lab: Lab, name: str, samples: Samples) -> Keeper:
    """Make a keeper whose machines are timed from their start to their first command's result."""
    profile = lab.profile(name)

    @contextmanager
    def boot(snapshot: Snapshot | None) -> Iterator[Booted]:
        begun = time.monotonic()
        with lab.booted(profile, snapshot=snapshot) as booted:
            booted.guest.run(COMMAND, check=True)
            _note(samples, BOOT, name, time.monotonic() - begun)
            yield booted

    return Keeper(boot, steps_of(lab))


def _measure_restore(keeper: Keeper, name: str, samples: Samples) -> Booted:
    """Restore a machine that was just used; time the restore, and the first command's result."""
    begun = time.monotonic()
    clean = keeper.clean(State.GUEST)
    restored = time.monotonic()
    clean.booted.guest.run(COMMAND, check=True)
    _note(samples, RESTORE, name, restored - begun)
    _note(samples, COMMAND_AFTER, name, time.monotonic() - begun)
    if clean.replaced:  # it counts with what it took
        click.echo(f"a machine was not restored but replaced: {clean.replaced}", err=True)
    return clean.booted


def _measure_peer(peer: Peer, samples: Samples) -> None:
    try:
        seconds = peer.seconds_to_command(cpus=2, memory_mib=1024)
    except (RuntimeError, OSError) as error:
        click.echo(f"the peer failed: {error}", err=True)
    else:
        samples.setdefault(PEER, []).append(seconds)


def _note(samples: Samples, what: str, profile: str, seconds: float) -> None:
    samples.setdefault(f"{what}, {profile}", []).append(seconds)


def checks_of(samples: Mapping[str, Sequence[float]]) -> tuple[Check, ...]:
    """Compare the samples with the targets, profile by profile."""
    checks = []
    peer = statistics.median(samples[PEER]) if samples.get(PEER) else None
    for name in PROFILES:
        boots, restores, commands = (
            samples[f"{what}, {name}"] for what in (BOOT, RESTORE, COMMAND_AFTER)
        )
        boot, restore, command = map(statistics.median, (boots, restores, commands))
        checks += [
            Check(f"{RESTORE}, {name}, p95", percentile(restores, 0.95), 0.5),
            Check(f"{COMMAND_AFTER}, {name}, p95", percentile(commands, 0.95), 1.5),
            Check(f"{RESTORE}, {name}", restore, 15, against=BOOT, baseline=boot),
            Check(f"{BOOT}, {name}", boot, 3, against=PEER, baseline=peer),
            Check(f"{COMMAND_AFTER}, {name}", command, 30, against=PEER, baseline=peer),
        ]
    return tuple(checks)


def samples_table(record: Record) -> Table:
    """Lay out what was measured."""
    table = Table(title=f"Seconds on {record.engine}", title_justify="left")
    for heading in ("", "samples", "median", "95 % interval", "p95"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, values in sorted(record.samples.items()):
        low, high = interval(values)
        table.add_row(
            name,
            str(len(values)),
            f"{statistics.median(values):.3f}",
            f"{low:.3f} .. {high:.3f}",
            f"{percentile(values, 0.95):.3f}",
        )
    return table


def checks_table(record: Record) -> Table:
    """Lay out what was aimed at."""
    table = Table(title="Targets", title_justify="left")
    for heading in ("", "measured", "target", "met"):
        table.add_column(heading, justify="right" if heading else "left")
    for check in record.checks:
        if check.against:
            ratio = "-" if check.ratio is None else f"{check.ratio:.1f}x"
            name = f"{check.name}, against {check.against}"
            measured, target = ratio, f"at least {check.target:g}x"
        else:
            name = check.name
            measured, target = f"{check.value:.3f} s", f"at most {check.target:g} s"
        table.add_row(name, measured, target, "yes" if check.met else "NO")
    return table


if __name__ == "__main__":
    run_command(main)
