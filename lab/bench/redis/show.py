# SPDX-License-Identifier: BSD-2-Clause
"""One save by fork and one on a snapshot, side by side: what ``dbos-lab run redis`` shows."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from rich.table import Table

from lab.bench.redis.latencies import worst
from lab.bench.redis.plot import draw
from lab.bench.redis.server import WAYS, Case, Save, redis_guest, save_under_load
from lab.lab import Lab
from lab.progress import Progress
from lab.run import note_on


def run_redis(lab: Lab, mib: int, rate: int, progress: Progress) -> dict[str, Save]:
    """Build what is missing, boot, and save under load by each way."""
    with progress.stage(f"Guest image {lab.image_spec.name}") as stage:
        lab.report = note_on(stage)
        stage.note = lab.image.summary
    saves = {}
    with ExitStack() as machine:
        with progress.stage("Compile, boot, deploy, load") as stage:
            lab.report = note_on(stage)
            booted = machine.enter_context(redis_guest(lab, "dbos-lab run redis", mib))
            stage.note = lab.engine.name
        for way in WAYS:
            with progress.stage(f"Save {mib} MiB under load, {way}") as stage:
                saves[way] = save_under_load(booted, Case(way, mib, rate))
                stage.note = f"{len(saves[way].load.due)} requests"
    return saves


def table_of(saves: Mapping[str, Save], title: str) -> Table:
    """Lay the two out, in milliseconds."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for way in saves:
        table.add_column(way, justify="right")
    before = {way: worst(save.load.before) for way, save in saves.items()}
    during = {way: worst(save.load.during) for way, save in saves.items()}
    for when, figures in (("before the save", before), ("during the save", during)):
        for figure in figures[next(iter(saves))]:
            cells = [f"{figures[way][figure]:.2f}" for way in saves]
            table.add_row(f"{figure}, {when}", *cells)
    table.add_row("the server stood still", *(f"{save.fork_ms:.2f}" for save in saves.values()))
    table.add_row("BGSAVE to its end", *(f"{save.load.save:.0f}" for save in saves.values()))
    copied = (f"{save.copied_mib:.1f} MiB" for save in saves.values())
    table.add_row("copied meanwhile", *copied)
    return table


def write_drawing(saves: Mapping[str, Save], title: str, path: Path) -> None:
    """Draw what clients waited for, before, during and behind the save."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(draw(title, {way: save.load for way, save in saves.items()}))
