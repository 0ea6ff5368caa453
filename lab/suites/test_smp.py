# SPDX-License-Identifier: BSD-2-Clause
"""vCPUs flush, call and stop one another: T1 to T4, which the model proves, on real ones."""

import re

from lab.session.backend import Backend

STEPS = [
    *("remap", "lazy", "host", "leaving", "calls", "ending", "world", "outside", "frames"),
    "smp",
]


def test_vcpus_among_themselves(backend: Backend) -> None:
    ran = backend.run("/lab/smp 200", timeout=90)
    assert re.findall(r"^(\w+): ok$", ran.text, re.M) == STEPS, ran.stderr.decode()
    assert ran.status == 0
