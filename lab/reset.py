# SPDX-License-Identifier: BSD-2-Clause
"""A clean machine in the state a test asks for, in a blink.

A ``Keeper`` has one machine, of one image, kernel, command line and engine, and a snapshot of each
state that was asked for. ``clean`` gives the machine in that state and nothing else in it: restored
if it can be, else booted anew and brought there. A machine that has ended is replaced by one that
gets its saved state. One that was restored and is not what was saved is replaced by one that boots,
and its snapshots go with it. The reason is told.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from lab.crash.symbols import Symbols, note_symbols, noted_symbols
from lab.deploy import DIRECTORY, MODULE, copy, deploy, load_module, unload_module
from lab.engine import Accelerator, Engine
from lab.errors import LabError
from lab.guest import Guest
from lab.lab import Booted, Lab
from lab.machine.snapshot import Snapshot
from lab.state import Preparation, State

AGENT = Path("lab/agent/bin/agent")
"""Where the artefacts have it."""


class Policy(Enum):
    """What "clean" means on an engine."""

    RESTORE = "restore"
    """Every test gets a restored snapshot, or a machine that nobody has used."""
    REUSE = "reuse"
    """Tests share a machine while it lives, and see what others left in it.

    For engines that can neither save a machine nor boot one in less than a minute.
    """


def policy_of(engine: Engine) -> Policy:
    """Return what the lab does on this engine."""
    return Policy.REUSE if engine.accelerator is Accelerator.BOCHS else Policy.RESTORE


class Origin(Enum):
    """How a machine came to be in its state."""

    BOOTED = "booted"
    RESTORED = "restored"
    REVIVED = "revived"
    """Another machine took the place of one that had ended, in the state that this had saved."""
    REUSED = "reused"


@dataclass(frozen=True)
class Clean:
    """A machine in the state that was asked for."""

    booted: Booted
    origin: Origin
    seconds: float
    """What it took, the login not included if it was restored: the first command logs in."""
    console_offset: int
    """Size of the console file: what was written before is not this test's."""
    events: int
    """How many of the monitor's events came before this test."""
    replaced: str
    """Why the machine before this one was given up; empty if it was not."""


@dataclass(frozen=True)
class Step:
    """The way from the state before to ``state``, on a machine that is in that."""

    state: State
    take: Callable[[Guest], None]
    undo: Callable[[Guest], None] | None = None
    """The way back, where tests share a machine; without it the state stays."""


@dataclass(frozen=True)
class _Saved:
    """A state that another machine can be put into, and what the lab has to know of it then."""

    snapshot: Snapshot
    symbols: Symbols


_Place = tuple[State, str]
"""A state, and the name of the preparation on top of it, if there is one."""


def steps_of(lab: Lab) -> tuple[Step, ...]:
    """Return the steps to each state, for a lab's own artefacts."""

    def start_agent(guest: Guest) -> None:
        copy(guest, (lab.artefacts.directory / AGENT,))
        guest.run(f"{DIRECTORY}/agent", check=True)

    to_booted = (Step(State.BOOTED, start_agent),)
    return (
        *(to_booted if policy_of(lab.engine) is Policy.RESTORE else ()),
        Step(State.GUEST, lambda guest: deploy(guest, lab.artefacts)),
        Step(
            State.MODULE_LOADED,
            lambda guest: load_module(guest, MODULE),
            lambda guest: unload_module(guest, MODULE),
        ),
    )


class Keeper:
    """Keeps one machine, and snapshots of it in the states it was asked for, until ``close``.

    ``boot`` starts a machine and ends it; with a snapshot, one in that state. Not for two threads
    at once.
    """

    def __init__(
        self,
        boot: Callable[[Snapshot | None], AbstractContextManager[Booted]],
        steps: Sequence[Step],
        policy: Policy = Policy.RESTORE,
    ) -> None:
        self._boot = boot
        self._steps = tuple(steps)
        self._policy = policy
        self._stack = ExitStack()
        self._booted: Booted | None = None
        self._saved: dict[_Place, _Saved] = {}
        self._shared: State | None = None  # under REUSE: what the machine is, and stays

    def clean(
        self, state: State, preparation: Preparation | None = None, *, fresh: bool = False
    ) -> Clean:
        """Return the machine in ``state``; ``fresh`` asks for one that was booted for it.

        A ``preparation`` comes on top, done for this call or saved by an earlier one. All
        connections to the machine are closed. A failure that a new machine shows too, a module
        that does not load, is passed on.
        """
        began = time.monotonic()
        replaced = ""
        origin = Origin.BOOTED
        if self._booted is not None and not self._booted.machine.alive:
            replaced = "it had ended"
        if fresh or replaced:
            self._end()
        try:
            if self._booted is not None:
                origin = self._bring_back(self._booted, state, preparation)
            elif self._saved and not fresh:
                origin = self._revive(state, preparation)
        except LabError as error:
            replaced = error.message
            if self._booted is not None:
                self._booted.machine.keep(replaced)
            self.close()
        booted = self._booted or self._start(state, preparation)
        machine = booted.machine
        seconds = time.monotonic() - began
        return Clean(booted, origin, seconds, machine.console.size, len(machine.events), replaced)

    def discard(self, booted: Booted) -> None:
        """See that nobody gets the machine as it is now.

        One that lives and can be restored is not ended for that: nothing of a complaint outlasts
        a restored memory, and a boot takes ten times as long.
        """
        if self._booted is booted and not (self._policy is Policy.RESTORE and booted.machine.alive):
            self._end()

    def close(self) -> None:
        """End the machine; its snapshots go with it."""
        self._saved = {}
        self._end()

    def _end(self) -> None:
        self._booted = self._shared = None
        self._stack.close()

    def _start(self, state: State, preparation: Preparation | None) -> Booted:
        """Boot a machine and bring it to ``state``."""
        with ExitStack() as stack:
            booted = stack.enter_context(self._boot(None))
            self._walk(booted, None, state, preparation)
            self._booted, self._stack = booted, stack.pop_all()
        return booted

    def _revive(self, state: State, preparation: Preparation | None) -> Origin:
        """Put another machine into the nearest state that was saved, and bring it to ``state``."""
        nearest = self._nearest(state, preparation)
        saved = self._saved[nearest]
        with ExitStack() as stack:
            booted = stack.enter_context(self._boot(saved.snapshot))
            note_symbols(booted.machine.directory, saved.symbols)
            self._walk(booted, nearest, state, preparation)
            self._booted, self._stack = booted, stack.pop_all()
        return Origin.REVIVED

    def _bring_back(self, booted: Booted, state: State, preparation: Preparation | None) -> Origin:
        """Bring a machine that was used to ``state``."""
        if self._policy is Policy.REUSE:
            self._walk_back(booted)
            reached = (self._shared, "") if self._shared else None
            self._walk(booted, reached, state, preparation)
            return Origin.REUSED
        nearest = self._nearest(state, preparation)
        snapshot = self._saved[nearest].snapshot
        booted.guest.close()
        booted.machine.snapshots.restore(snapshot)
        booted.guest.know_as(snapshot.token)
        self._walk(booted, nearest, state, preparation)
        return Origin.RESTORED

    def _nearest(self, state: State, preparation: Preparation | None) -> _Place:
        """Return the last place on the way that was saved; the first always was."""
        if preparation is not None and (state, preparation.name) in self._saved:
            return state, preparation.name
        return max(place for place in self._saved if place[0] <= state and not place[1])

    def _walk(
        self, booted: Booted, reached: _Place | None, state: State, preparation: Preparation | None
    ) -> None:
        """Take the steps from ``reached`` on; save the first state and the last for others."""
        for step in self._steps:
            if step.state > state or (reached is not None and step.state <= reached[0]):
                continue
            step.take(booted.guest)
            if self._policy is Policy.REUSE:
                self._shared = step.state
            elif step.state in (State.BOOTED, state):
                self._save(booted, (step.state, ""))
        if preparation is not None and (reached is None or reached[1] != preparation.name):
            preparation.take(booted.guest)
            if self._policy is Policy.RESTORE:
                self._save(booted, (state, preparation.name))

    def _save(self, booted: Booted, place: _Place) -> None:
        booted.guest.close()
        machine = booted.machine
        self._saved[place] = _Saved(machine.snapshots.save(), noted_symbols(machine.directory))

    def _walk_back(self, booted: Booted) -> None:
        """Undo the steps that can be, the last one first."""
        for step in reversed(self._steps):
            if step.state == self._shared and step.undo is not None:
                step.undo(booted.guest)
                self._shared = State(step.state - 1)
