# SPDX-License-Identifier: BSD-2-Clause
"""What clients wait for while a save goes on: measured in turns, compared, judged."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import click
from rich.table import Table

from lab.bench.record import Check, interval
from lab.bench.redis.latencies import worst
from lab.bench.redis.server import FORK, SNAPSHOT, WAYS, Case, Save, save_under_load
from lab.lab import Booted

FIGURES = ("p50", "p95", "p99.9", "max", "stood still", "save")
"""Of a save, in ms. ``stood still`` is what Redis calls ``latest_fork_usec``."""
FLAT = 2.0
"""The longest wait may be so many times longer at the largest size as at the smallest one."""


def sample_name(figure: str, way: str, mib: int) -> str:
    """Name a series of samples."""
    return f"{figure}, {way}, {mib} MiB"


def figures_of(save: Save) -> dict[str, float]:
    """All that is compared of one save."""
    return {**worst(save.load.during), "stood still": save.fork_ms, "save": save.load.save}


def checks_of(samples: Mapping[str, Sequence[float]], sizes: Sequence[int]) -> list[Check]:
    """Compare medians of what was promised."""

    def median(figure: str, way: str, mib: int) -> float:
        return statistics.median(samples[sample_name(figure, way, mib)])

    def against_fork(figure: str, mib: int, target: float) -> Check:
        ours, fork = (median(figure, way, mib) for way in (SNAPSHOT, FORK))
        return Check(f"{figure}, {mib} MiB", ours, target, "ms", FORK, fork)

    flat = median("max", SNAPSHOT, sizes[-1]) / median("max", SNAPSHOT, sizes[0])
    return [
        against_fork("max", sizes[-1], 10.0),
        Check(f"max, {sizes[-1]} against {sizes[0]} MiB", flat, FLAT, "times"),
        *(against_fork("p99.9", mib, 2.0) for mib in sizes),
        *(against_fork("p95", mib, 1.0) for mib in sizes),
        *(against_fork("save", mib, 1 / 1.1) for mib in sizes),
    ]


def table_of(samples: Mapping[str, Sequence[float]], sizes: Sequence[int], engine: str) -> Table:
    """Lay out medians, and where these may lie."""
    table = Table(title=f"Milliseconds while a save goes on, {engine}", title_justify="left")
    table.add_column("")
    for mib in sizes:
        for way in WAYS:
            table.add_column(f"{way}\n{mib} MiB", justify="right")
    for figure in FIGURES:
        cells = []
        for mib in sizes:
            for way in WAYS:
                values = samples[sample_name(figure, way, mib)]
                low, high = interval(values)
                cells.append(f"{statistics.median(values):.1f}\n{low:.1f}-{high:.1f}")
        table.add_row(figure, *cells)
    return table


def measure_saves(
    booted: Booted, sizes: Sequence[int], repetitions: int, rate: int
) -> tuple[dict[str, list[float]], dict[str, Save]]:
    """Return the samples, and the last saves of the largest size."""
    samples: dict[str, list[float]] = {}
    last = {}
    for mib in sizes:
        for repetition in range(repetitions):
            for way in WAYS:
                last[way] = save_under_load(booted, Case(way, mib, rate, seed=repetition))
                for figure, value in figures_of(last[way]).items():
                    samples.setdefault(sample_name(figure, way, mib), []).append(value)
                click.echo(f"measured: {way}, {mib} MiB", err=True)
    return samples, last
