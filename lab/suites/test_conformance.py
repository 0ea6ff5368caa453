# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor does what the processor's manuals and its own interface say, case by case.

The cases are those of tests/guest/conformance, the same for both vendors. One machine runs them
all, once for each cell; each is a test of its own here.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.engine import Accelerator
from lab.session.trial import rehearsed
from lab.state import State

if TYPE_CHECKING:
    from lab.lab import Booted, Lab
    from lab.session.cell import Cell
    from lab.session.keeper import Keeper

pytestmark = pytest.mark.lab_boot("seed")

SOURCES = Path(__file__).parents[2] / "tests/guest/conformance"
WITHIN = 900.0
"""Seconds for all cases. TCG needs a few; Bochs, whose seconds are long, some minutes."""


BOCHS_FAULTS = {
    "fpu_migrates": "its XRSTOR raises #GP over what its XSAVEC saved, without a hypervisor too",
    "debug_single_step": "the first #DB comes before the first instruction; not understood",
}
"""Cases that fail there, and why. (A program can tell QEMU's TCG, but not Bochs, by CPUID.)"""


def names() -> list[str]:
    """Return the names of all cases, from the sources: there are no machines yet."""
    text = "".join(path.read_text() for path in sorted(SOURCES.glob("*.c")))
    return re.findall(r"^(?:[A-Z]+_)?CASE\((\w+)", text, re.M)


@pytest.fixture(scope="session")
def outcomes(lab_keeper: Keeper, lab_cell: Cell) -> dict[str, str]:
    """What each case said, on one machine whose kernel had nothing to complain about."""

    def loaded() -> Booted:
        return lab_keeper.clean(lab_cell, State.MODULE_LOADED)

    with rehearsed(lab_keeper, "conformance", lab_cell, loaded) as booted:
        said = booted.guest.run("/lab/conformance", timeout=WITHIN, check=True).text
        booted.guest.run("/lab/hello", check=True)  # the processors are still good for it
    return dict(line.split(": ", 1) for line in said.splitlines())


def test_all_cases_ran(outcomes: dict[str, str]) -> None:
    assert sorted(outcomes) == sorted(names())


@pytest.mark.parametrize("case", names())
def test_case(outcomes: dict[str, str], lab: Lab, case: str) -> None:
    outcome = outcomes.get(case, "it did not run")
    if outcome.startswith("skipped: "):
        pytest.skip(outcome.removeprefix("skipped: "))
    good = outcome == "ok" or outcome.startswith("ok, ")
    if not good and lab.engine.accelerator is Accelerator.BOCHS and case in BOCHS_FAULTS:
        pytest.xfail(f"Bochs: {BOCHS_FAULTS[case]} ({outcome})")
    assert good, outcome
