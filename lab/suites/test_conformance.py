# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisor does what the processor's manuals and its own interface say, case by case.

The cases are those of tests/guest/conformance, the same for both vendors. One machine runs them
all, once for each cell; each is a test of its own here. What becomes of them is left for the
matrix (``dbos-lab matrix``) too.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.conformance.faults import faults_of
from lab.conformance.outcome import (
    Case,
    Outcome,
    Result,
    cases_in,
    outcome_of,
    read_output,
    write_outcomes,
)
from lab.options import factor
from lab.session.trial import rehearsed
from lab.state import State

if TYPE_CHECKING:
    from lab.lab import Booted, Lab
    from lab.session.cell import Cell
    from lab.session.keeper import Keeper

pytestmark = [pytest.mark.lab_boot("seed"), pytest.mark.lab_together]

CASES = cases_in(Path(__file__).parents[2] / "tests/guest/conformance")
WITHIN = 900.0
"""Seconds for all cases. TCG needs a few; Bochs, whose seconds are long, some minutes."""


@pytest.fixture(scope="session")
def said(
    lab_keeper: Keeper, lab_cell: Cell, lab: Lab, pytestconfig: pytest.Config
) -> Mapping[str, str]:
    """What each case said, on one machine whose kernel had nothing to complain about."""
    faults = faults_of(lab.engine)
    fatal = [name for name, fault in faults.items() if fault.fatal]
    slower = factor(pytestconfig, "timeout-factor")
    command = " ".join([f"/lab/conformance --slower {ceil(slower)} --without", *fatal])

    def loaded() -> Booted:
        return lab_keeper.clean(lab_cell, State.MODULE_LOADED)

    with rehearsed(lab_keeper, "conformance", lab_cell, loaded) as booted:
        output = booted.guest.run(command, timeout=WITHIN * slower, check=True).text
        if "exception_cr2" not in faults:  # or libdbos could not handle a page fault
            booted.guest.run("/lab/hello", check=True)  # the processors are still good for it
    return read_output(output)


@pytest.fixture(scope="session")
def outcomes(said: Mapping[str, str], lab: Lab) -> Mapping[str, Outcome]:
    """What that is worth on this engine; the matrix is told too."""
    faults = faults_of(lab.engine)
    found = [outcome_of(case, said.get(case.name), faults.get(case.name)) for case in CASES]
    write_outcomes(found, lab.config.conformance, lab.engine.name)
    return {outcome.name: outcome for outcome in found}


def test_all_cases_ran(said: Mapping[str, str], lab: Lab) -> None:
    fatal = {name for name, fault in faults_of(lab.engine).items() if fault.fatal}
    assert sorted(said) == sorted({case.name for case in CASES} - fatal)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(outcomes: Mapping[str, Outcome], lab: Lab, case: Case) -> None:
    outcome = outcomes[case.name]
    if outcome.result is Result.SKIPPED:
        pytest.skip(outcome.text)
    if outcome.result is Result.XFAIL:
        pytest.xfail(f"{lab.engine.name}: {outcome.text}")
    assert outcome.result is Result.PASSED, outcome.text
