# SPDX-License-Identifier: BSD-2-Clause
"""A race of three steps, hidden among 200 random ones, is found, cut down and shown again.

The race is in ``tests/zoo/module/race.c``. The suite's other steps do no harm.
"""

from __future__ import annotations

from random import Random

import pytest

from lab.lab import Lab
from lab.session.stress import Setting, Stressed
from lab.stress.plan import Operation
from lab.zoo.enclosure import brought

pytestmark = pytest.mark.lab_boot("seed")

RACE = ("race_open", "race_bump", "race_check")
REPEATS = 10


def write_file(random: Random) -> str:
    return f"head -c {random.randrange(1, 1 << 16)} /dev/zero >/tmp/file-{random.randrange(4)}"


def read_files(_random: Random) -> str:
    return "cat /tmp/file-* >/dev/null 2>&1 || true"


def fork(random: Random) -> str:
    return f"for child in $(seq {random.randrange(1, 6)}); do : & done; wait"


def race(name: str) -> Operation:
    """Make the operation that commits a step of the race.

    As often as any other, so that no plan is without it: an update is lost if one is drawn while
    the window is open, for three steps on a host that is slow, which happens at 37 % of some 28
    openings. At a quarter of that weight a plan in 30 had none.
    """
    return Operation(name, lambda _random: f"echo {name} >/dev/zoo", weight=4)


OPERATIONS = (
    Operation("write_file", write_file, weight=4),
    Operation("read_files", read_files, weight=4),
    Operation("fork", fork, weight=4),
    Operation("nothing", lambda _random: ":", weight=4),
    *map(race, RACE),
)


@pytest.mark.lab_stress(operations=200)
def test_a_planted_race_is_cut_down_and_shown_again(
    stress: Stressed, lab: Lab, capsys: pytest.CaptureFixture[str]
) -> None:
    setting = Setting(preparation=brought(lab))
    failure = stress.search(OPERATIONS, setting)
    assert failure is not None
    shown = [stress.repeat(failure.least, setting) for _ in range(REPEATS)]
    with capsys.disabled():
        print(f"\n{failure.told}\nshown again {shown.count(failure.title)} times of {REPEATS}")
    assert failure.title == "splat: WARNING in zoo_race_check"
    assert len(failure.steps) == 200
    assert failure.steps[failure.begun - 1].name == "race_check"  # it was stopped there
    assert {step.name for step in failure.least} == set(RACE)
    assert len(failure.least) <= 5
    assert shown.count(failure.title) >= REPEATS * 9 // 10
