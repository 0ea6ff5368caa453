# SPDX-License-Identifier: BSD-2-Clause
"""How long anything may take: points in time, and the limits they are made from.

Code that waits is given a ``Deadline`` or makes one from its machine's ``Limits``, and hands parts
of it down with ``sooner``. So a wait of many steps ends when the first step's caller wanted it to.

How long a guest needs depends on what plays its processor. The limits are therefore those of real
hardware times a factor: one per kind of engine, stretched where the doctor's probe measured that
ring 0 is slower here than such an engine's ordinarily is. They are never below their base and never
above ``12 * 4`` times it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import astuple, dataclass

from lab.engine import Accelerator

Clock = Callable[[], float]
"""Seconds from any fixed point, never backwards."""


@dataclass(frozen=True)
class Deadline:
    """A point in time on a clock that only goes forward, and what has to be over by then."""

    moment: float
    seconds: float
    """How far away it was when it was set; for messages."""
    what: str
    """What it is for, as a noun: "the boot"."""
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, what: str, clock: Clock = time.monotonic) -> Deadline:
        """Set a deadline ``seconds`` from now."""
        return cls(clock() + seconds, seconds, what, clock)

    def left(self) -> float:
        """Seconds until then; 0 afterwards, fit for any function that takes a timeout."""
        return max(0.0, self.moment - self.clock())

    @property
    def passed(self) -> bool:
        """Whether it is over."""
        return self.clock() >= self.moment

    def sooner(self, seconds: float, what: str) -> Deadline:
        """Return the deadline of a part: ``seconds`` from now, but never later than this one.

        If it is this one that ends first, the result is this one, so that a message names the
        limit that was really the cause.
        """
        part = Deadline.after(seconds, what, self.clock)
        return part if part.moment < self.moment else self

    def __str__(self) -> str:
        return f"{self.seconds:g} s for {self.what}"


@dataclass(frozen=True)
class Limits:
    """What a machine is given, in seconds."""

    boot: float
    """From its start to an sshd that listens."""
    connect: float
    """For one answer of something that listens: QEMU's monitor, a login, a step of a copy."""
    command: float
    """For one command or copy, unless its caller says otherwise."""
    silence: float
    """Without a sign of life while a command runs; afterwards the guest counts as hung."""
    teardown: float
    """To end a command that overran, to collect evidence, to end the machine: for each of them."""

    def times(self, factor: float) -> Limits:
        """Return all of them multiplied: how a user says that his host is slower than ours."""
        return Limits(*(factor * seconds for seconds in astuple(self)))


BASE = Limits(boot=20.0, connect=10.0, command=20.0, silence=5.0, teardown=4.0)
"""For a guest on real hardware. Each is many times what an idle host needs: a limit is there to
end a wait, not to find out that a host is busy."""

GUEST_DETECTORS = 22.0
"""Seconds after which a guest's kernel names the culprit itself: soft lock-up 20 s (twice
``watchdog_thresh``), RCU stall 21 s. They are added to the silence limit, or the lab would end a
guest just before it can tell what is wrong. Wall-clock time on every engine, so not multiplied."""


@dataclass(frozen=True)
class Pace:
    """How one kind of engine compares with real hardware."""

    factor: float
    mips: float
    """What the doctor's probe is expected to measure there, to an order of magnitude."""


PACES = {
    Accelerator.KVM: Pace(1.0, 1000.0),
    Accelerator.TCG: Pace(3.0, 500.0),
    Accelerator.BOCHS: Pace(12.0, 50.0),
}
MOST_STRETCH = 4.0
"""A measurement stretches the limits by no more than this: one taken at a bad moment is kept until
the host boots again, and must not make every hang cost half an hour."""


def limits_for(accelerator: Accelerator, mips: float | None = None) -> Limits:
    """Return the limits of an engine; ``mips`` is the ring-0 speed the probe measured, if it did.

    A fast host does not shorten them: speed in a loop says little about the longest wait, and a
    limit that is too long costs time only where something hangs.
    """
    pace = PACES[accelerator]
    slow = pace.mips / mips if mips else 1.0
    factor = pace.factor * min(max(slow, 1.0), MOST_STRETCH)
    return Limits(
        boot=BASE.boot * factor,
        connect=BASE.connect * factor,
        command=BASE.command * factor,
        silence=GUEST_DETECTORS + BASE.silence * factor,
        teardown=BASE.teardown * factor,
    )
