# SPDX-License-Identifier: BSD-2-Clause
"""Regions: addresses whose translations are the program's, on both hypervisors."""

import re

from lab.engine import Accelerator
from lab.lab import Lab
from lab.session.backend import Backend

AGAIN = ["bare", "leaves", "grow"]
STEPS = [
    *("rights", "grow", "adopt", "bare", "leaves", "shared", "requests", "frames"),
    *(AGAIN * 11),
    *("flat", "regions"),
]


def test_regions(lab: Lab, backend: Backend) -> None:
    rounds = 20 if lab.engine.accelerator is Accelerator.BOCHS else 200
    ran = backend.run(f"/lab/regions {rounds}", timeout=100)
    assert re.findall(r"^(\w+): ok$", ran.text, re.M) == STEPS, ran.stderr.decode()
    assert ran.status == 0
