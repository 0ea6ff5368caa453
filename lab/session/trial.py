# SPDX-License-Identifier: BSD-2-Clause
"""One test and its machine, from the hand-over to the verdict and what becomes of the machine."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.outcomes import Failed  # pytest.fail.Exception, which mypy takes for Any

if TYPE_CHECKING:
    from lab.lab import Booted
    from lab.session.cell import Cell
    from lab.session.keeper import Keeper
    from lab.session.witness import Witness
    from lab.verdict.verdict import Expectation, Judgement


class Ruled(Failed):
    """Fails a test for what its machine did, where the test itself noticed nothing."""

    __module__ = "builtins"  # so pytest prints the bare name, as for its own outcomes

    def __init__(self, judgement: Judgement, text: str) -> None:
        super().__init__(text, pytrace=False)
        self.judgement = judgement


class Trial:
    """What is known of one test. Its hooks and its fixtures share it, in one thread."""

    def __init__(self, cell: Cell, name: str, *, keeps: bool = True) -> None:
        self.cell = cell
        self.name = name
        self.again: tuple[str, ...] = ()
        """Options that belong into the line which runs the test again."""
        self.judgement: Judgement | None = None
        self.seconds = 0.0
        """From the beginning of its set-up to the verdict."""
        self.booted: Booted | None = None
        self._witness: Witness | None = None
        self._keeps = keeps  # the machine's directory, if it fails
        self._heard: tuple[int, ...] = ()
        self._begun = time.monotonic()

    def artefacts(self, booted: Booted) -> Path:
        """Where the test's own files go: a part of its machine's directory, kept with that."""
        name = re.sub(r"[^\w.-]+", "-", self.name).strip("-")
        return booted.machine.directory / "results" / name

    def observe(self, booted: Booted) -> None:
        """Watch a machine from now on."""
        from lab.session.witness import Witness  # noqa: PLC0415 (heavy)

        self.booted = booted
        self._witness = Witness(booted)

    def judge(
        self,
        error: BaseException | None,
        *,
        expected: tuple[Expectation, ...] = (),
        settle: bool = True,
    ) -> Judgement:
        """Decide what the test is worth; ``error`` is how it ended."""
        from lab.session.witness import SETTLE, evidence_of  # noqa: PLC0415
        from lab.verdict.verdict import Trouble, judge  # noqa: PLC0415

        if isinstance(error, Ruled):
            judgement = error.judgement
        else:
            if self._witness:
                evidence = self._witness.look(error, SETTLE if settle else 0.0)
            else:
                evidence = evidence_of(error)
            if evidence.trouble is not Trouble.INFRA:  # else nothing could be expected
                evidence = replace(evidence, expected=expected)
            judgement = judge(evidence)
        self.judgement = judgement
        self._heard = self._signs()
        self.seconds = time.monotonic() - self._begun
        if judgement.verdict.fails and self._keeps:
            self._keep(judgement)
        return judgement

    @property
    def stirred(self) -> bool:
        """Whether anything was asked of the machine, or came from it, since it was judged."""
        return self._signs() != self._heard

    def _signs(self) -> tuple[int, ...]:
        if self.booted is None:
            return ()
        machine = self.booted.machine
        return (
            self.booted.guest.requests,
            machine.console.size,
            len(machine.events),
            machine.alive,
        )

    def ruling(self, detail: str = "") -> Ruled:
        """Word the verdict as an exception to raise."""
        if self.judgement is None:
            raise RuntimeError("nothing was judged yet")
        lines = [f"{self.judgement.verdict}: {self.judgement.title}"]
        lines += [f"also {other}" for other in self.judgement.also]
        return Ruled(self.judgement, "\n".join([*lines, detail or self.complaints]))

    @property
    def complaints(self) -> str:
        """What the kernel complained about during the test, in its own words."""
        return "\n".join(self._witness.complaints) if self._witness else ""

    def _keep(self, judgement: Judgement) -> None:
        if self.booted and self._witness:
            self.booted.machine.keep(f"{self.name}: {judgement.verdict}: {judgement.title}")
            self._witness.leave(self.artefacts(self.booted))


TRIAL = pytest.StashKey[Trial]()


@contextmanager
def attended(trial: Trial, keeper: Keeper, get: Callable[[], Booted]) -> Iterator[Booted]:
    """Lend a machine to a test; afterwards, decide whether another test may have it.

    The verdict falls when the test's body ends. What its other fixtures do after that is looked
    at here, when they are done, and may still raise ``Ruled``.
    """
    booted = get()
    usable = False
    try:
        trial.observe(booted)
        yield booted
        before = trial.judgement
        if before is not None and before.machine_usable:
            looked = before.verdict.fails or not trial.stirred
            after = before if looked else trial.judge(None, settle=False)
            usable = after.machine_usable
            if after.verdict.fails and not before.verdict.fails:
                raise trial.ruling()
    finally:
        if not usable:
            keeper.discard(booted)


@contextmanager
def rehearsed(keeper: Keeper, name: str, cell: Cell, get: Callable[[], Booted]) -> Iterator[Booted]:
    """Lend a machine for something that other tests rely on; raise ``Ruled`` unless all is well."""
    trial = Trial(cell, name)
    with attended(trial, keeper, get) as booted:
        try:
            yield booted
        except Exception as error:
            trial.judge(error)
            raise trial.ruling(str(error)) from error
        if trial.judge(None).verdict.fails:
            raise trial.ruling()
