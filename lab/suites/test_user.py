# SPDX-License-Identifier: BSD-2-Clause
"""Ring 3 under a ring 0 that is a process: hostile functions are confined and reported."""

import re

from lab.session.backend import Backend

STEPS = ["hostile", "registers", "grants", "requests", "signals", "udf"]


def test_hostile_functions_are_confined(backend: Backend) -> None:
    ran = backend.run("/lab/udf", timeout=90)
    assert re.findall(r"^(\w+): ok$", ran.text, re.M) == STEPS, ran.stderr.decode()
    assert ran.status == 0


def test_user_threads_are_preempted(backend: Backend) -> None:
    rounds = 400
    said = backend.run(f"/lab/preempt {rounds}", timeout=90, check=True).text
    found = re.fullmatch(
        r"preempt: ok, 4 threads, (\d+) preemptions, least (\d+) of (\d+), (.+) ms a tick\n", said
    )
    assert found, said
    preemptions, least = int(found[1]), int(found[2])
    assert preemptions >= 40, said
    # By turns they are all but equal; a tick that comes late on a busy host favours one of them.
    assert least >= rounds / 3, said
