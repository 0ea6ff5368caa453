# SPDX-License-Identifier: BSD-2-Clause
"""How the costs of snapshots are read, judged and drawn."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from lab.bench.snapshot.output import Samples, parse_output
from lab.bench.snapshot.plan import (
    COUNTED_PARTS,
    FORK,
    METHODS,
    OURS,
    PLACES,
    SCANNED,
    SIZES,
    TIMED_PARTS,
    create_part,
)
from lab.bench.snapshot.plot import draw
from lab.bench.snapshot.targets import counted_checks, timed_checks
from lab.errors import LabError
from lab.snappy import ENGINES


def measured(fork: float, ours: float, grown: int) -> Samples:
    """All that is measured, ``fork`` ticks and pages for what is no engine, else ``ours``."""
    samples: Samples = {
        series.format(method): [fork if method not in OURS else ours] * 2000
        for part in (*COUNTED_PARTS, *TIMED_PARTS)
        for method in part.methods
        for series in part.series
    }
    for size in SIZES:
        samples[f"bytes lazy-{size}"] = [float(grown * size)]
    return samples


def verdicts(samples: Samples) -> dict[str, bool]:
    """What both machines judge is met if it is on both."""
    met: dict[str, bool] = {}
    for checks in (counted_checks(samples, "instructions"), timed_checks(samples, "TSC ticks")):
        assert len({check.name for check in checks}) == len(checks)
        for check in checks:
            met[check.name] = check.met and met.get(check.name, True)
    return met


def test_samples_are_for_one_event() -> None:
    read = parse_output(
        "cost lazy-write-64 200 2\ncost lazy-write-64 100 2\neach lazy-1 5 7\neach lazy-1 9\n"
        "bytes lazy-64 256\nweight lazy-10 3 40\nrate lazy-scans 8 2000\n",
        ["lazy-write-64", "lazy-1", "tables lazy-10", "pages lazy-10", "lazy-scans"],
    )
    assert read == {
        "lazy-write-64": [100.0, 50.0],
        "lazy-1": [5.0, 7.0, 9.0],
        "bytes lazy-64": [256.0],
        "tables lazy-10": [3.0],
        "pages lazy-10": [40.0],
        "lazy-scans": [250.0],
    }


@pytest.mark.parametrize("said", ["", "cost fork-64 1 1\n", "cost a 1 1\ncost b 1 1\n"])
def test_an_incomplete_output_is_refused(said: str) -> None:
    with pytest.raises(LabError, match="did not measure all that it should"):
        parse_output(said, ["a"])


def test_each_place_must_have_measured_its_own_methods() -> None:
    assert create_part(64).names("huge") == ["fork-huge-64", "fork-huge-write-64"]
    both = TIMED_PARTS[-1]
    assert both.methods == SCANNED
    assert {name.partition("-")[0] for name in both.names("native")} == {FORK}
    assert sum(len(methods) for methods in PLACES.values()) == len(METHODS)


def test_what_is_as_good_as_fork_meets_few_targets() -> None:
    met = {name for name, met in verdicts(measured(100, 100, 4)).items() if met}
    assert "bytes of page tables for 2 MiB, lazy" in met
    assert "lazy-transactions" in met
    assert "mean write, 1 at once, epoch" in met
    few = {f"{ENGINES[0]}-4096", "lazy-cycle-512", "lazy-sustained", "lazy-age-256"}
    assert not few & met


def test_what_is_far_better_meets_all_and_what_is_between_some() -> None:
    assert all(verdicts(measured(100_000, 10, 4)).values())
    between = verdicts(measured(3000, 100, 8))
    assert between["epoch-4096"]
    assert not between["lazy-4096"]
    assert not between["lazy-cycle-512"]
    assert not between["bytes of page tables for 2 MiB, lazy"]


def test_the_worst_of_a_thousand_writes_is_judged_by_itself() -> None:
    samples = measured(100, 10, 4)
    samples["epoch-1"] = [10.0] * 1990 + [500.0] * 10
    met = verdicts(samples)
    assert met["mean write, 1 at once, epoch"]
    assert not met["p99.9 write, 1 at once, epoch"]
    assert not met["p99.9 write, 1 at once, epoch, at most that of one that copies a table"]
    samples["lazy-table-512"] = samples["epoch-1"]
    assert verdicts(samples)[
        "p99.9 write, 1 at once, epoch, at most that of one that copies a table"
    ]


def test_who_copies_tables_late_is_not_compared_with_himself() -> None:
    assert not [
        name
        for name in verdicts(measured(100, 10, 4))
        if name.startswith("p99.9 write, 1 at once, lazy, ")
    ]


def test_more_memory_for_one_snapshot_than_fork_is_a_miss() -> None:
    samples = measured(100, 10, 4)
    samples["pages epoch-10"] = [500.0]
    met = verdicts(samples)
    assert met["tables, 10 % written, epoch"]
    assert not met["tables and pages, 10 % written, epoch"]


def test_a_drawing_has_a_line_for_each_method_and_higher_is_more() -> None:
    svg = ET.fromstring(draw("a & b", "ticks", (64, 512), {"fork": [1e6, 9e6], "lazy": [10, 20]}))
    lines = [
        [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        for line in svg.iter("{http://www.w3.org/2000/svg}polyline")
        if line.attrib["stroke"] != "#dddddd"
    ]
    assert len(lines) == 2
    assert all(left[0] < right[0] and left[1] > right[1] for left, right in lines)
    assert lines[0][0][1] < lines[1][1][1]
