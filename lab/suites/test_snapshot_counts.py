# SPDX-License-Identifier: BSD-2-Clause
"""What is counted of snapshots: exactly what was done, by ``dbos stat`` too."""

from __future__ import annotations

import re

import pytest

from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")

TIMES = ("create-cycles", "release-cycles")


def times(line: str) -> int:
    """Return how many a line of the form ``2^i:number ...`` counts."""
    return sum(int(number) for number in re.findall(r"2\^\d+:(\d+)", line))


def test_counters_are_exact(backend: Backend) -> None:
    ran = backend.run("/lab/snapshot_counts", timeout=120)
    assert ran.text.endswith("\nsnapshot_counts: ok\n"), ran.stderr.decode()
    expected = dict(re.findall(r"^expected ([\w-]+) (\d+)$", ran.text, re.M))
    said = dict(re.findall(r"^([a-z-]+) +(\d.*)$", ran.text, re.M))
    assert len(expected) == 20
    assert {name: said[name] for name in expected} == expected
    for name, event in zip(TIMES, ("created", "released"), strict=True):
        assert times(said[name]) == int(expected[event])
    assert said["limbo"].isdigit()
