# SPDX-License-Identifier: BSD-2-Clause
"""S17: threads do at once, at random, whatever can be done with snapshots and beside them.

How long an operation took at most is wall time on the engine that is named, so emulated.
"""

import re

import pytest

from lab.lab import Lab
from lab.session.backend import Backend

OPERATIONS = 250
"""Of each thread."""
KINDS = [
    *("write", "create", "child", "release", "attach", "read", "diff"),
    *("region", "grow", "enter", "thread"),
]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_random_operations(lab: Lab, backend: Backend, number: int) -> None:
    ran = backend.run(f"/lab/snapshot_fuzz {number} {OPERATIONS}", timeout=180, check=True)
    print(f"\n{lab.engine.name}, {backend.name}\n{ran.text.rstrip()}")
    lines = ran.text.splitlines()
    assert lines[0] == f"seed {number}"
    assert lines[-1] == "fuzz: ok"
    done = dict(re.findall(r"^(\w+): (\d+), \d+ not possible, \d+ ms at most$", ran.text, re.M))
    assert [kind for kind in KINDS if int(done.get(kind, 0)) == 0] == []
