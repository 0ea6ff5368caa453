# SPDX-License-Identifier: BSD-2-Clause
"""Stress in a test: random operations on a clean machine, and on failure the least that fail too.

Each run gets a clean machine and a verdict like any test's. The failure of the whole run is the
test's own, with that machine's directory; the runs that follow only find out which steps it needs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lab.errors import LabError
from lab.session.markers import Stress
from lab.session.trial import Ruled, Trial, attended
from lab.state import Preparation, State
from lab.stress.plan import Operation, Step, make_plan, select
from lab.stress.runner import STOPPED, Failure, Run, script, stress

if TYPE_CHECKING:
    from lab.guest import Guest
    from lab.session.cell import Cell
    from lab.session.keeper import Keeper

STEPS_PER_LIMIT = 20
"""For each so many steps a run gets the time of one command."""
LOG = "steps.jsonl"
"""In the test's part of the directory of the first run's machine: every run, with its steps."""


def _nothing(_guest: Guest) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Setting:
    """What every run begins with: a clean machine in ``state``, and the suite's own on top of it.

    What that does to the kernel (a module's taint flag) is not held against the run. If all its
    steps went well, a run ends with ``conclude``, and what that raises is the run's failure.
    """

    state: State = State.GUEST
    preparation: Preparation | None = None
    conclude: Callable[[Guest], object] = _nothing


class Stressed:
    """What the fixture ``stress`` gives: how long to go on, and the way to do it.

    ``seed`` is the test's own. ``chosen`` are the places that ``--lab-steps`` names: if there are
    any, only those steps of the plan are run, and nothing is cut down.
    """

    def __init__(
        self,
        length: Stress,
        keeper: Keeper,
        cell: Cell,
        trial: Trial,
        *,
        seed: int,
        chosen: Sequence[int] = (),
    ) -> None:
        self.length = length
        self._keeper = keeper
        self._cell = cell
        self._trial = trial
        self._seed = seed
        self._chosen = tuple(chosen)

    def plan(self, operations: Sequence[Operation]) -> tuple[Step, ...]:
        """Draw as many steps as the marker says, or those of them that ``--lab-steps`` names."""
        if self.length.operations is None:
            raise pytest.UsageError("a stress run needs the marker lab_stress(operations=N)")
        plan = make_plan(operations, self._seed, self.length.operations)
        try:
            return select(plan, self._chosen) if self._chosen else plan
        except ValueError as error:
            raise pytest.UsageError(f"--lab-steps: {error}") from error

    def run(self, operations: Sequence[Operation], setting: Setting) -> None:
        """Run the plan; if that fails, find the least steps that fail alike, and fail with them."""
        if failure := self.search(operations, setting):
            self._trial.again = failure.options
            judgement = self._trial.judgement
            assert judgement is not None
            raise Ruled(judgement, failure.told)

    def search(self, operations: Sequence[Operation], setting: Setting) -> Failure | None:
        """Do the same, but return what was found and leave it to the test to fail."""

        def attempt(steps: tuple[Step, ...]) -> Run:
            first = self._trial.booted is None
            trial = Trial(self._cell, self._trial.name, keeps=first)
            run = self._attempt(trial, steps, setting)
            if first:  # that is the test's own, the others only help to understand it
                self._trial.booted, self._trial.judgement = trial.booted, trial.judgement
            return run

        return stress(self.plan(operations), attempt, self._log, shrinks=not self._chosen)

    def repeat(self, steps: Sequence[Step], setting: Setting) -> str:
        """Run these steps on a clean machine; return what went wrong, "" if nothing did."""
        trial = Trial(self._cell, self._trial.name, keeps=False)
        return self._attempt(trial, tuple(steps), setting).title

    def _attempt(self, trial: Trial, steps: tuple[Step, ...], setting: Setting) -> Run:
        with attended(
            trial,
            self._keeper,
            lambda: self._keeper.clean(self._cell, setting.state, setting.preparation),
        ) as booted:
            error, begun = _done(booted.guest, steps)
            error = error or _concluded(booted.guest, setting)
            judgement = trial.judge(error)
        title = f"{judgement.verdict}: {judgement.title}" if judgement.verdict.fails else ""
        return Run(title, begun)

    def _log(self, entry: str) -> None:
        if (booted := self._trial.booted) is not None:
            directory = self._trial.artefacts(booted)
            directory.mkdir(parents=True, exist_ok=True)
            with (directory / LOG).open("a") as log:
                log.write(entry + "\n")


def _concluded(guest: Guest, setting: Setting) -> Exception | None:
    """Have the setting's last word; return what it found wrong."""
    try:
        setting.conclude(guest)
    except (AssertionError, LabError) as error:
        return error
    return None


def _done(guest: Guest, steps: Sequence[Step]) -> tuple[Exception | None, int]:
    """Run steps; return how that failed, and how many had begun, as far as anyone knows."""
    patience = guest.machine.limits.command * (1 + len(steps) // STEPS_PER_LIMIT)
    try:
        result = guest.run("sh -s", input=script(steps).encode(), timeout=patience)
    except LabError as error:
        return error, len(steps)
    stopped = re.search(STOPPED, result.text, re.MULTILINE)
    if stopped is None:
        return None, len(steps)
    begun = 1 + [step.index for step in steps].index(int(stopped["index"]))
    status = int(stopped["status"])
    # Without the step's place: the same failure at another place is the same failure.
    return AssertionError(f"{stopped['name']}: status {status}") if status else None, begun
