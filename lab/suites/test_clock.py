# SPDX-License-Identifier: BSD-2-Clause
"""What time it is for a restored guest.

Its time of day is put right by the lab. Its time since boot goes on from where it was saved: were
it to leap over the time between, the kernel would find grace periods and hung tasks overdue.
"""

import time

import pytest

from lab.lab import Lab
from lab.reset import Policy, policy_of
from lab.session.cell import Cell
from lab.session.machines import LabKeeper
from lab.state import State

PAUSE = 5.0


def test_the_time_between_two_restores_does_not_pass(
    lab: Lab, lab_keeper: LabKeeper, lab_cell: Cell
) -> None:
    if policy_of(lab.engine) is Policy.REUSE:
        pytest.skip(f"nothing is restored on {lab.engine.name}")

    def uptime() -> float:
        guest = lab_keeper.clean(lab_cell, State.GUEST).guest
        return float(guest.run("cut -d' ' -f1 /proc/uptime", check=True).text)

    uptime()  # now there is a snapshot
    first = uptime()
    time.sleep(PAUSE)
    assert uptime() - first < PAUSE / 2
