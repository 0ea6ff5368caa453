# SPDX-License-Identifier: BSD-2-Clause
"""B1 to B8 on processors: pools of pages by the MMU, by a hash table and by madvise.

B4 (versions) is the model's: ``tests/model/pools.c``.
"""

from __future__ import annotations

import re

import pytest

from lab.command import Result
from lab.engine import Accelerator
from lab.guest import Guest
from lab.lab import Lab
from lab.options import number
from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")

TESTS = ["updates", "evicted", "stale", "errors", "cut", "resize", "snapshot", "misuse"]
EVICTIONS_FOR_ONE = 100
"""An option's 300 snapshots are as many evictions."""


def rounds_of(lab: Lab) -> int:
    return 10 if lab.engine.accelerator is Accelerator.BOCHS else 100


def check(ran: Result, tests: list[str]) -> None:
    assert re.findall(r"^(.+): ok$", ran.text, re.M) == [*tests, "pools"], ran.stderr.decode()
    assert ran.status == 0


def test_pool_by_the_mmu(lab: Lab, backend: Backend, seed: int) -> None:
    check(backend.run(f"/lab/pools mmu /tmp/pool {rounds_of(lab)} {seed}", timeout=300), TESTS)


@pytest.mark.parametrize("kind", ["hash", "madvise"])
def test_pool_without_privilege(lab: Lab, guest: Guest, seed: int, kind: str) -> None:
    ran = guest.run(f"/lab/pools {kind} /tmp/pool {rounds_of(lab)} {seed}", timeout=300)
    check(ran, [test for test in TESTS if test != "snapshot"])


def test_evictions_interrupt_nobody(
    backend: Backend, seed: int, pytestconfig: pytest.Config
) -> None:
    """The program counts: a vCPU that has sent an interrupt to flush ends it."""
    evictions = number(pytestconfig, "snapshots", 200) * EVICTIONS_FOR_ONE
    ran = backend.run(f"/lab/pools mmu /tmp/pool 1 {seed} {evictions}", timeout=3600)
    check(ran, [])
    print(f"\n{ran.text}")
    found = re.search(r"^evictions: (\d+)$", ran.text, re.M)
    assert found
    assert int(found[1]) >= evictions
