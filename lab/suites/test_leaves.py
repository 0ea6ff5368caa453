# SPDX-License-Identifier: BSD-2-Clause
"""Leaf sizes, rights and dirtiness of the second-level table are those of the process's memory."""

import re
from dataclasses import replace

import pytest

from lab.deploy import MODULE, load_module
from lab.engine import VMX_BOCHS, Accelerator
from lab.guest import Guest
from lab.lab import Lab

pytestmark = pytest.mark.lab_boot("seed")

HUGE = ["huge", "split", "collapse", "unmapped", "hugetlb 2 MiB"]
SMALL = ["small"]
"""In their place on a CPU with the erratum ITLB_MULTIHIT, which gets leaves of 4 KiB only."""
REST = ["execution", "dirt", "files", "leaves"]


def test_leaves(module_loaded: Guest, lab: Lab) -> None:
    ran = module_loaded.run("/lab/leaves")
    assert ran.status == 0, ran.stderr.decode()
    steps = re.findall(r"^([a-z]+|hugetlb 2 MiB): ok$", ran.text, re.M)
    assert steps == [*(SMALL if lab.engine is VMX_BOCHS else HUGE), *REST]


def test_leaves_of_1_gib(lab: Lab) -> None:
    """Two pages that the kernel sets aside at its boot: above 4 GiB, below what it needs first."""
    if lab.engine.accelerator is Accelerator.BOCHS:
        pytest.skip("Bochs would have to clear 2 GiB one word after the other")
    profile = lab.profile("seed")
    aside = replace(profile, required=(*profile.required, "hugepagesz=1G", "hugepages=2"))
    with lab.booted(aside, memory_mib=5120) as large:
        lab.deploy_to(large.guest)
        load_module(large.guest, MODULE)
        ran = large.guest.run("/lab/leaves")
    assert "hugetlb 1024 MiB: ok\n" in ran.text, ran.text + ran.stderr.decode()
    assert ran.status == 0
