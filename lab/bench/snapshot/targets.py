# SPDX-License-Identifier: BSD-2-Clause
"""What snapshots must reach, and whether they did."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from lab.bench.record import Check, percentile
from lab.bench.snapshot.plan import FORK, MIDDLE, OURS, PERCENTS, SIZES, TIMED

CREATE = {"epoch": 21.0}
"""How many times cheaper than ``fork``, of the largest memory; all others ``FLAT``."""
FLAT = 1000.0
WRITE = 1.0
BYTES = 8.0
"""Of page tables for 2 MiB of memory, by ``lazy``, and what does not grow."""
CYCLE = 50.0
THROUGHPUT = 0.95
FRESHNESS = 50.0
WORST = 0.999
READY = ("epoch", "instant")
"""Engines by which tables are there, or are meant to be, when they are written."""
LATE = f"lazy-table-{MIDDLE}"
"""Writes by the engine that copies tables late, each to a table that is to be copied."""

Measured = Mapping[str, Sequence[float]]


def create_checks(measured: Measured, unit: str) -> list[Check]:
    """Judge snapshots of the largest size, and how they grow between the smallest and that."""
    smallest, largest = SIZES[0], SIZES[-1]
    checks = [
        _against_fork(measured, f"{{}}-{largest}", engine, CREATE.get(engine, FLAT), unit)
        for engine in OURS
    ]
    grown = max(measured[f"bytes lazy-{largest}"]) - max(measured[f"bytes lazy-{smallest}"])
    per_range = grown / ((largest - smallest) / 2)
    checks.append(Check("bytes of page tables for 2 MiB, lazy", per_range, BYTES, "bytes"))
    return checks


def write_checks(measured: Measured, writers: int, unit: str) -> list[Check]:
    """Judge the writes behind a snapshot: on average, and the worst of a thousand."""
    checks = []
    for engine in OURS:
        series = f"{engine}-{writers}"
        mean = (statistics.mean(measured[series]), statistics.mean(measured[f"{FORK}-{writers}"]))
        worst = tuple(percentile(measured[name], WORST) for name in (series, f"{FORK}-{writers}"))
        what = f"write, {writers} at once, {engine}"
        checks.append(Check(f"mean {what}", mean[0], WRITE, unit, FORK, mean[1]))
        checks.append(Check(f"p99.9 {what}", worst[0], WRITE, unit, FORK, worst[1]))
        if engine in READY and LATE in measured:
            cost = percentile(measured[LATE], WORST)
            name = f"p99.9 {what}, at most that of one that copies a table"
            checks.append(Check(name, worst[0], cost, unit))
    return checks


def memory_checks(measured: Measured) -> list[Check]:
    """Judge what a snapshot has for itself: page tables, and these with copied pages."""

    def weight(method: str, percent: int, *what: str) -> float:
        return sum(statistics.median(measured[f"{each} {method}-{percent}"]) for each in what)

    return [
        Check(
            f"{' and '.join(what)}, {percent} % written, {engine}",
            4096 * weight(engine, percent, *what),
            1.0,
            "bytes",
            FORK,
            4096 * weight(FORK, percent, *what),
        )
        for engine in OURS
        for percent in PERCENTS
        for what in (("tables",), ("tables", "pages"))
    ]


def cycle_checks(measured: Measured, unit: str) -> list[Check]:
    """Judge a snapshot, 1 % of writes, and its end; and snapshots beside such a writer."""
    return [
        check
        for engine in OURS
        for check in (
            _against_fork(measured, f"{{}}-cycle-{MIDDLE}", engine, CYCLE, unit),
            _against_fork(measured, "{}-sustained", engine, CYCLE, "ms"),
        )
    ]


def transaction_checks(measured: Measured) -> list[Check]:
    """Judge transactions beside scans."""
    series = "{}-transactions"
    return [
        _against_fork(measured, series, engine, THROUGHPUT, "ms")
        for engine in OURS
        if series.format(engine) in measured
    ]


def age_checks(measured: Measured, unit: str) -> list[Check]:
    """Judge how old a snapshot is when its scan begins."""
    return [
        _against_fork(measured, f"{{}}-age-{TIMED}", engine, FRESHNESS, unit) for engine in OURS
    ]


def counted_checks(measured: Measured, unit: str) -> list[Check]:
    """Judge what one processor has shown."""
    return [
        *create_checks(measured, unit),
        *write_checks(measured, 1, unit),
        *memory_checks(measured),
        *cycle_checks(measured, unit),
        *transaction_checks(measured),
    ]


def timed_checks(measured: Measured, unit: str) -> list[Check]:
    """Judge what took two."""
    return [
        *write_checks(measured, 2, unit),
        *transaction_checks(measured),
        *age_checks(measured, unit),
    ]


def _against_fork(measured: Measured, series: str, engine: str, target: float, unit: str) -> Check:
    value, baseline = (statistics.median(measured[series.format(name)]) for name in (engine, FORK))
    return Check(series.format(engine), value, target, unit, FORK, baseline)
