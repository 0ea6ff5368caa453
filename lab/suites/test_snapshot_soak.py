# SPDX-License-Identifier: BSD-2-Clause
"""S10 and S3: snapshots for long, each looked at, and in the end there is what there was at first.

``--lab-snapshots 10000 --lab-seconds 120`` (``make soak-snapshot``) is the long form: 10,000 times
create, write 1 %, release with each engine; and one every millisecond for two minutes, while
another vCPU writes.
"""

import re
from itertools import groupby
from statistics import linear_regression

import pytest

from lab.options import number
from lab.session.backend import Backend
from lab.snappy import ENGINES

pytestmark = pytest.mark.lab_boot("seed")

ACCOUNTS = 20
SECONDS_A_SNAPSHOT = 0.05
"""At most. Emulated it is a tenth of that."""
SLACK = 4
"""Pages by which libc's heap may differ, over all of a run."""
FRAMES = 32
"""Of the pool: what one cycle writes, whose pages may be members' own frames or the pool's."""
KEPT = 9 * 1024
"""Pages that eight snapshots and the process may have at once, and the tables beside them."""
TABLES = 9 * 8


def test_cycles_leave_nothing(backend: Backend, pytestconfig: pytest.Config) -> None:
    cycles = number(pytestconfig, "snapshots", ACCOUNTS)
    free = []
    for count in (ACCOUNTS, cycles):
        seconds = 60 + len(ENGINES) * count * SECONDS_A_SNAPSHOT
        ran = backend.run(f"/lab/snapshot_cycles {count}", timeout=seconds, check=True)
        assert ran.text.endswith("cycles: ok\n")
        free += [int(frames) for frames in re.findall(r"^free: (\d+)$", ran.text, re.M)]
    accounts = re.findall(r"^account (\w+) (\d+) (\d+) (\d+) (\d+)$", ran.text, re.M)
    for engine, lines in groupby(accounts, key=lambda account: account[0]):
        done, *columns = zip(*([int(each) for each in line[1:]] for line in lines), strict=True)
        grown = [linear_regression(done, column).slope * cycles for column in columns]
        print(f"\n{engine}, {cycles} cycles, by regression: {grown[0]:.1f} descriptors,", end=" ")
        print(f"{grown[1]:.1f} pages mapped, {grown[2]:.1f} resident")
        assert len(done) >= ACCOUNTS
        assert grown[:2] == [0, 0]
        assert abs(grown[2]) <= SLACK
    print(f"free frames: {free[0]} behind {ACCOUNTS} cycles, {free[1]} behind {cycles}")
    assert free[0] - free[1] <= FRAMES


def test_a_snapshot_every_millisecond(backend: Backend, pytestconfig: pytest.Config) -> None:
    seconds = number(pytestconfig, "seconds", 1)
    ran = backend.run(f"/lab/snapshot_soak {seconds}", timeout=60 + 3 * seconds, check=True)
    found = re.fullmatch(
        r"snapshots (\d+), late (\d+)\ngrown (-?\d+)\nsoak: ok\n",
        ran.text,
    )
    assert found, ran.text
    print(f"\n{ran.text.rstrip()}")
    assert int(found[1]) > len(ENGINES) * 8, "not every engine has had its turn"
    assert int(found[3]) <= KEPT + TABLES + SLACK
