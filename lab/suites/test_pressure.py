# SPDX-License-Identifier: BSD-2-Clause
"""What the module allocates is charged to who made it, and comes back when memory is short."""

import re

import pytest

from lab.guest import Guest

pytestmark = pytest.mark.lab_boot("seed")

CGROUP = "/sys/fs/cgroup/pressure"


def test_tables_are_charged_and_given_back(module_loaded: Guest) -> None:
    module_loaded.run(
        f"echo +memory >/sys/fs/cgroup/cgroup.subtree_control && mkdir {CGROUP}", check=True
    )
    ran = module_loaded.run(f"/lab/pressure {CGROUP}")
    steps = re.findall(r"^(\w+): ok", ran.text, re.M)
    assert steps == ["charged", "shrunk", "limit", "pressure"], ran.stderr.decode()
    events = module_loaded.run(f"cat {CGROUP}/memory.events", check=True).text
    assert re.search(r"^oom_kill 0$", events, re.M), events


def test_faults_elsewhere_are_not_put_off(module_loaded: Guest) -> None:
    ran = module_loaded.run("/lab/disjoint")
    assert ran.text.startswith("disjoint: ok"), ran.stderr.decode()
