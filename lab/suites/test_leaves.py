# SPDX-License-Identifier: BSD-2-Clause
"""Leaf sizes, rights and dirtiness of the second-level table are those of the process's memory."""

import re

import pytest

from lab.guest import Guest

pytestmark = pytest.mark.lab_boot("seed")

HUGE = ["huge", "split", "collapse", "unmapped", "hugetlb 2 MiB"]
REST = ["execution", "dirt", "files", "leaves"]


def test_leaves(module_loaded: Guest) -> None:
    ran = module_loaded.run("/lab/leaves", timeout=60.0)
    assert ran.status == 0, ran.stderr.decode()
    # Where the machine is large enough there is a step for 1 GiB too.
    steps = re.findall(r"^([a-z]+|hugetlb 2 MiB): ok$", ran.text, re.M)
    assert steps == [*HUGE, *REST]
