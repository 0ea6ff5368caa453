# SPDX-License-Identifier: BSD-2-Clause
"""R1: saves without end, each of them of its moment; full disks and kills among them; flat memory.

``apps/redis/soak.py`` does it in the guest. ``--lab-snapshots 1000`` (``make soak-redis``) is the
long form.
"""

from __future__ import annotations

import re

import pytest

from lab.options import number
from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")

SAVES_FOR_ONE = 15
"""An option's 300 snapshots are as many of libdbos's own, which take a fifteenth of the time."""
SECONDS_A_SAVE = 8.0
"""At most; emulated, on a busy host, it is a half."""
GROWN = 1.1
"""Times. What is resident in the last third of a run is at most that much of what was before."""
COPIED = 2
"""Times. What the data have taken more than ever before, and the copies of it."""


def largest(said: str, name: str) -> tuple[int, int]:
    """Return the largest one of the second third, and of the last."""
    found = re.search(rf"^{name}: ([\d ]+)$", said, re.M)
    assert found
    values = [int(kib) for kib in found[1].split()]
    third = len(values) // 3
    return max(values[third : 2 * third]), max(values[-third:])


def test_each_save_is_of_its_moment(
    redis: Backend,
    seed: int,
    pytestconfig: pytest.Config,
) -> None:
    saves = max(10, number(pytestconfig, "snapshots", 10) // SAVES_FOR_ONE)
    command = "rm -rf /tmp/soak && mkdir /tmp/soak && cd /tmp/soak && /lab/redis-soak yes"
    ran = redis.run(f"{command} {saves} {seed}", timeout=120 + SECONDS_A_SAVE * saves)
    log = redis.run("tail -30 /tmp/soak/server/log").text
    assert ran.text.endswith("soak: ok\n"), ran.stderr.decode() + log
    print("\n" + ran.text)
    before, resident = largest(ran.text, "resident")
    peak_before, peak = largest(ran.text, "peaks")
    assert resident <= GROWN * before + COPIED * max(0, peak - peak_before)
