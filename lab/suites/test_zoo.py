# SPDX-License-Identifier: BSD-2-Clause
"""Every fault of the zoo gets its verdict and its title, and the next test a clean machine.

At the end of the run stands a table of all of them (``lab/suites/conftest.py``).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lab.errors import LabError
from lab.guest import Guest
from lab.lab import Booted
from lab.session.cell import Cell
from lab.session.keeper import Keeper
from lab.session.trial import Trial, attended
from lab.state import State
from lab.verdict.verdict import Verdict
from lab.zoo.enclosure import bring, brought, with_arguments
from lab.zoo.faults import FAULTS, Fault
from lab.zoo.table import PROPERTY, Row

pytestmark = pytest.mark.lab_boot("seed")

ZOO_TAINT = 1 << 12 | 1 << 13
"""An out-of-tree module (O) without a signature (E), and no fault yet."""
CLOCK_SLACK = 3600.0
"""Seconds that a clean guest's clock may be off: a snapshot was taken a while ago."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.name))
def test_verdict(
    fault: Fault,
    lab_keeper: Keeper,
    lab_cell: Cell,
    record_property: Callable[[str, object], None],
) -> None:
    lab = lab_keeper.lab(lab_cell)
    if not fault.fits(lab.image.kernel_release):
        pytest.skip(f"only kernels {fault.kernel} can show it")
    trial = Trial(lab_cell, f"zoo-{fault.name}")
    with machine_for(fault, trial, lab_keeper, lab_cell) as booted:
        assert_clean(booted.guest, ZOO_TAINT)
        begun = time.monotonic()
        error = committed(fault, booted.guest, fault.bound(lab.engine.accelerator))
        judgement = trial.judge(error)
        seconds = time.monotonic() - begun
        artefacts = trial.artefacts(booted)
        failed = judgement.verdict.fails
        row = Row(
            fault.name,
            lab_cell.id,
            fault.verdict,
            judgement.verdict,
            judgement.title,
            seconds,
            str(artefacts) if failed else "",
        )
        record_property(PROPERTY, row.to_text())
    assert judgement.verdict is fault.verdict
    assert re.search(fault.title, judgement.title)
    if failed:
        assert (artefacts / "console").is_file()
        assert (booted.machine.directory / "console").is_file()
    if judgement.verdict is Verdict.PANICKED:
        assert (booted.machine.directory / "vmcore").stat().st_size > 0


def test_clean_machine_after_the_last(guest: Guest) -> None:
    assert_clean(guest)


@contextmanager
def machine_for(fault: Fault, trial: Trial, keeper: Keeper, cell: Cell) -> Iterator[Booted]:
    """Lend a machine as any test gets it, or one booted with the arguments the fault needs."""
    lab = keeper.lab(cell)
    if not fault.arguments:
        zoo = brought(lab)
        with attended(trial, keeper, lambda: keeper.clean(cell, State.GUEST, zoo)) as booted:
            yield booted
        return
    with lab.booted(with_arguments(lab.profile(cell.profile), fault.arguments)) as booted:
        bring(lab, booted.guest)
        trial.observe(booted)
        yield booted


def committed(fault: Fault, guest: Guest, seconds: float) -> LabError | None:
    """Let it happen; return how its command ended, ``None`` if well."""
    try:
        guest.run(fault.script, timeout=seconds, check=True)
    except LabError as error:
        return error
    return None


def assert_clean(guest: Guest, taint_before: int = 0) -> None:
    """Check that none of the faults has left a trace."""
    state = guest.run(
        "cat /proc/sys/kernel/tainted /proc/sys/kernel/hung_task_timeout_secs; date +%s;"
        " ls /tmp | wc -l; pidof sleep | wc -w",
        check=True,
    ).text.split()
    taint, timeout, clock, files, daemons = map(int, state)
    assert taint == taint_before
    assert abs(clock - time.time()) < CLOCK_SLACK
    assert files == 0
    assert daemons == 0
    assert timeout == 120
