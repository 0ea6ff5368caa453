# SPDX-License-Identifier: BSD-2-Clause
"""S12: a key-value store and a B+-tree; their snapshots are what a model of them was at the cut."""

import re

from lab.engine import Accelerator
from lab.lab import Lab
from lab.session.backend import Backend
from lab.snappy import ENGINES

STEPS = [f"{engine}, {writers}" for engine in ENGINES for writers in (1, 2)]


def test_snapshots_of_stores(lab: Lab, backend: Backend, seed: int) -> None:
    rounds = 4 if lab.engine.accelerator is Accelerator.BOCHS else 8
    ran = backend.run(f"/lab/stores {rounds} {seed}", timeout=180)
    said = re.findall(r"^(.+): ok$", ran.text, re.M)
    assert said == [*STEPS, "stores"], ran.stderr.decode()
    assert ran.status == 0
