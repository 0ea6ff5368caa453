# SPDX-License-Identifier: BSD-2-Clause
"""Snapshots and pools on two processors of Bochs, in one order of their turns after the other.

Bochs repeats itself: under one order the same happens each time, so each is a seed, by which what
has failed fails again. ``--lab-interleavings 16`` (``make soak-snapshot``) is the long form.
"""

import re

import pytest

from lab.deploy import MODULE, load_module
from lab.engine import Accelerator
from lab.lab import Lab
from lab.machine.interleaving import Interleaving
from lab.options import number
from lab.session.backend import DUNE, Backend
from lab.session.cell import Cell

pytestmark = [pytest.mark.lab_boot("seed"), pytest.mark.lab_requires("vmx")]

ROUNDS = 3
"""Of each step that has rounds: there are many orders."""
PROGRAMS = (f"/lab/snapshots {ROUNDS}", f"/lab/pools mmu /tmp/pool {ROUNDS} {{seed}}")


def test_many_orders(
    lab: Lab, lab_cell: Cell, pytestconfig: pytest.Config, capsys: pytest.CaptureFixture[str]
) -> None:
    if lab.engine.accelerator is not Accelerator.BOCHS:
        pytest.skip(f"the engine {lab.engine.name} is not Bochs")
    profile = lab.profile(lab_cell.profile)
    for seed in range(1, number(pytestconfig, "interleavings", 1) + 1):
        with lab.booted(profile, interleaving=Interleaving.from_seed(seed)) as booted:
            lab.deploy_to(booted.guest)
            load_module(booted.guest, MODULE)
            backend = Backend(DUNE, booted.guest)
            for program in PROGRAMS:
                ran = backend.run(program.format(seed=seed), timeout=300)
                passed = len(re.findall(": ok$", ran.text, re.M))
                with capsys.disabled():
                    print(f"\n{lab.engine.name}, order {seed}: {program.split()[0]}, {passed} ok")
                assert ran.status == 0, f"order {seed}: {ran.stderr.decode()}"
                assert ran.text.endswith("s: ok\n")
