# SPDX-License-Identifier: BSD-2-Clause
"""A verdict on each test that takes a machine, and what pytest makes of it.

One that ``passed`` passes; one that ``failed`` fails with its own exception, and one with
``splat``, ``panicked``, ``hung`` or ``lost`` fails even if it has none. ``infra`` is an error:
nothing is known of what was to be tested.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

from lab.session.collection import cell_of, node_id_of
from lab.session.markers import expectations
from lab.session.plan import plan_of
from lab.session.summary import note, replay_line
from lab.session.trial import TRIAL, Trial

NOT_JUDGED = (KeyboardInterrupt, SystemExit, GeneratorExit, pytest.exit.Exception)
"""These end the session, not the test."""
EXCUSES = (pytest.skip.Exception, pytest.xfail.Exception)
"""These are no failure of the test; but what the kernel did meanwhile counts."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, None, None]:
    """Begin a trial. What fails before the test's body is an error to pytest."""
    cell = cell_of(item)
    if cell is None:
        return (yield)
    note(item, cell=cell.id)  # also of a test that is skipped
    trial = item.stash[TRIAL] = Trial(cell, f"{item.path.stem}-{item.name}")
    try:
        return (yield)
    except (*NOT_JUDGED, *EXCUSES):
        raise
    except BaseException as error:
        trial.judge(error)
        _note(item, trial)
        raise


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Judge when the body has ended; the verdict decides, not whether the body raised."""
    trial = item.stash.get(TRIAL, None)
    if trial is None:
        return (yield)
    raised: BaseException | None = None
    try:
        yield
    except NOT_JUDGED:
        raise
    except EXCUSES as excuse:
        if trial.judge(None).verdict.fails:
            _note(item, trial)
            raise trial.ruling() from excuse
        raise
    except BaseException as error:
        raised = error
    judgement = trial.judge(raised, expected=expectations(item))
    _note(item, trial)
    if judgement.verdict.fails:
        raise raised or trial.ruling()
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Note the verdict once more: the test's fixtures may have changed it on their way out."""
    try:
        return (yield)
    finally:
        trial = item.stash.get(TRIAL, None)
        if trial is not None and trial.judgement is not None and trial.judgement.verdict.fails:
            _note(item, trial)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the kernel said, and how to run the test again."""
    report = yield
    trial = item.stash.get(TRIAL, None)
    if report.failed and trial is not None and trial.judgement is not None:
        if trial.complaints and trial.complaints not in report.longreprtext:
            report.sections.append(("guest kernel", trial.complaints))
        if trial.booted is not None:
            report.sections.append(("guest console", trial.booted.machine.console.tail()))
    return report


def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, str] | None:
    """Count a test that failed for want of a host or an image as an error."""
    if report.when == "call" and report.failed and ("verdict", "infra") in report.user_properties:
        return "error", "E", "ERROR"
    return None


def _note(item: pytest.Item, trial: Trial) -> None:
    """Put the verdict on the test, for JUnit, the summary and the controller of xdist."""
    if trial.judgement is None:
        return
    booted = trial.booted
    note(
        item,
        verdict=trial.judgement.verdict,
        title=trial.judgement.title,
        also="; ".join(trial.judgement.also),
        cell=trial.cell.id,
        machine=booted.machine.directory if booted else "",
        artefacts=trial.artefacts(booted) if booted else "",
        seconds=f"{trial.seconds:.3f}",
        again=replay_line(node_id_of(item), trial.cell, plan_of(item.config).seed, trial.again),
    )
