# SPDX-License-Identifier: BSD-2-Clause
"""Leaf sizes, rights and dirtiness of the second-level table are those of the process's memory."""

import re

import pytest

from lab.guest import Guest

pytestmark = pytest.mark.lab_requires("svm")  # dune.ko has no VT-x back end yet

STEPS = ["huge", "split", "collapse", "unmapped", "hugetlb 2 MiB", "execution", "dirt", "files"]


def test_leaves(module_loaded: Guest) -> None:
    ran = module_loaded.run("/lab/leaves")
    done = re.findall(r"^([\w ]+): ok$", ran.text, re.M)
    gigabyte = ["hugetlb 1024 MiB"] if "hugetlb 1024 MiB: ok" in ran.text else []
    assert done == [*STEPS[:5], *gigabyte, *STEPS[5:], "leaves"], ran.stderr.decode()
    assert ran.status == 0
