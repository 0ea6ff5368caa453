# SPDX-License-Identifier: BSD-2-Clause
"""Changes of the process's mappings, made inside or by others: the same inside as outside."""

import re

from lab.engine import Accelerator
from lab.lab import Lab
from lab.session.backend import Backend

CASES = [
    *("protections", "replaced", "moved", "far", "far stack", "heap", "files", "forked"),
]
STEPS = [*CASES, *CASES, "in use", "too many", "mappings"]


def test_mappings(lab: Lab, backend: Backend) -> None:
    rounds = 20 if lab.engine.accelerator is Accelerator.BOCHS else 200
    ran = backend.run(f"/lab/mappings {rounds}", timeout=90)
    assert re.findall(r"^([\w ]+): ok$", ran.text, re.M) == STEPS, ran.stderr.decode()
    assert ran.status == 0
