# SPDX-License-Identifier: BSD-2-Clause
"""vCPUs flush, call and stop one another: T1 to T4, which the model proves, on real ones."""

import re

from lab.engine import Accelerator
from lab.lab import Lab
from lab.session.backend import Backend

STEPS = [
    *("remap", "lazy", "host", "leaving", "calls", "ending", "world", "outside", "frames"),
    "smp",
]


def test_vcpus_among_themselves(lab: Lab, backend: Backend) -> None:
    rounds = 20 if lab.engine.accelerator is Accelerator.BOCHS else 200
    ran = backend.run(f"/lab/smp {rounds}", timeout=90)
    assert re.findall(r"^(\w+): ok$", ran.text, re.M) == STEPS, ran.stderr.decode()
    assert ran.status == 0


def test_registers_survive_a_storm(lab: Lab, backend: Backend) -> None:
    """S19: of calls and of faults, on code that has all of them in use, and its red zone."""
    rounds = 20 if lab.engine.accelerator is Accelerator.BOCHS else 300
    said = backend.run(f"/lab/storm {rounds}", timeout=90, check=True).text
    assert re.fullmatch(r"storm: ok, [1-9]\d* acts\n", said)
