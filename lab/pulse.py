# SPDX-License-Identifier: BSD-2-Clause
"""Notices, beside a running command, that its guest has stopped.

A command that prints nothing for an hour may be at work; a guest that answers nothing is not. So
while a connection is quiet, the guest's sshd is asked for an answer over the command's own
connection (RFC 4254, section 4: a global request, which sshd must at least deny). It costs the
guest one wake-up of a process that is there anyway: nothing is started, no login is made.

No answer may also mean a guest that is slow. Two things tell: time, and the processors. If for some
while every processor was found with interrupts off, then none will ever schedule sshd again, and
there is no point in waiting for the rest of the limit.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Protocol

import paramiko

from lab.deadline import Clock, Limits

CONNECTION_ERRORS = (paramiko.SSHException, EOFError, OSError)
"""What paramiko raises when the other side is gone."""

ASK_AFTER = 1.0
"""Seconds of quiet before the guest is asked; most commands never come to that."""
_REQUEST = "alive@dbos-lab"
_LONGEST_LOOK = 0.5
"""A look that comes later than this after the last one was held up on the host: the rest of the gap
says nothing about the guest, which was probably held up as well."""
_STUCK_FROM = 8
"""The processors are looked at after this part of the limit, but not before the guest is asked."""
_STUCK_EVERY = 0.5
_STUCK_LOOKS = 6
"""So many looks in a row, so many seconds apart, must find every processor stuck."""


class Patient(Protocol):
    """The machine that is watched."""

    @property
    def limits(self) -> Limits:
        """What it is given."""

    def stuck(self) -> bool:
        """Whether, at this moment, no processor of it can be interrupted."""


class Pulse:
    """Follows one connection while a command runs on it. Call ``look`` a few times a second."""

    def __init__(
        self, transport: paramiko.Transport, patient: Patient, clock: Clock = time.monotonic
    ) -> None:
        self.silent = 0.0
        """For how many seconds nothing was heard, not counting those in which nobody listened."""
        self._transport = transport
        self._patient = patient
        self._clock = clock
        self._looked = clock()
        self._question: threading.Thread | None = None
        self._answered = threading.Event()
        self._stuck_looks = 0
        self._next_stuck_look = 0.0

    def look(self, *, heard: bool) -> bool:
        """Note whether something came since the last look; tell whether the guest counts as hung.

        Any byte that came is as good as an answer: under a flood of output the answer is behind it.
        """
        now = self._clock()
        gap, self._looked = min(now - self._looked, _LONGEST_LOOK), now
        if heard or self._answered.is_set():
            self._answered.clear()
            self.silent = 0.0
            self._stuck_looks = 0
            return False
        self.silent += gap
        if self.silent >= ASK_AFTER:
            self._ask()
        return self.silent >= self._patient.limits.silence or self._proved(now)

    def _ask(self) -> None:
        """Ask, unless an answer is due already, from a thread: paramiko would wait for ever."""
        if self._question is None or not self._question.is_alive():
            self._question = threading.Thread(target=self._asked, name="pulse", daemon=True)
            self._question.start()

    def _asked(self) -> None:
        with contextlib.suppress(*CONNECTION_ERRORS):
            self._transport.global_request(_REQUEST, wait=True)
            if self._transport.is_active():  # else it returned because the connection ended
                self._answered.set()

    def _proved(self, now: float) -> bool:
        """Tell whether the processors say that waiting for the rest of the limit is in vain."""
        first = max(ASK_AFTER, self._patient.limits.silence / _STUCK_FROM)
        if self.silent < first or now < self._next_stuck_look:
            return False
        self._next_stuck_look = now + _STUCK_EVERY
        self._stuck_looks = self._stuck_looks + 1 if self._patient.stuck() else 0
        return self._stuck_looks >= _STUCK_LOOKS
