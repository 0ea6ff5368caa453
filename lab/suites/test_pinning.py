# SPDX-License-Identifier: BSD-2-Clause
"""A machine's processors stay on those of the host that they were given (``DBOS_LAB_PIN``)."""

import os
from dataclasses import replace

from lab.lab import Booted, Lab


def test_pinned_processors_stay_where_they_are(lab: Lab, booted: Booted) -> None:
    wanted = sorted(os.sched_getaffinity(0))
    config = replace(lab.config, pin=tuple(wanted))
    pinned = Lab(config, image_name=lab.image_spec.name, engine_name=lab.engine.name)
    with pinned.booted(booted.profile) as other:
        assert other.guest.run("true").status == 0
        threads = other.machine.threads
        allowed = [os.sched_getaffinity(thread) for thread in threads]
    assert allowed == [{wanted[number % len(wanted)]} for number in range(len(threads))]
