# SPDX-License-Identifier: BSD-2-Clause
"""When a guest counts as hung: on a clock that only the test moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import cast

import paramiko
import pytest

from lab.deadline import Limits
from lab.pulse import ASK_AFTER, Pulse

SILENCE = 40.0
LIMITS = Limits(boot=1, connect=1, command=1, silence=SILENCE, teardown=1)
LOOK = 0.1


class Wire:
    """A transport whose far end answers when it is told to."""

    def __init__(self) -> None:
        self.answer = threading.Event()
        self.asked = 0
        self.active = True

    def global_request(self, kind: str, *, wait: bool) -> None:
        assert wait
        self.asked += 1
        assert self.answer.wait(10)

    def is_active(self) -> bool:
        return self.active


class Patient:
    """A machine of which only its processors matter."""

    limits = LIMITS

    def __init__(self) -> None:
        self.answers: Iterator[bool] = iter(())
        self.looks = 0

    def stuck(self) -> bool:
        self.looks += 1
        return next(self.answers, False)


class Scene:
    """A pulse, its wire, its patient, and the time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.wire = Wire()
        self.patient = Patient()
        transport = cast(paramiko.Transport, self.wire)
        self.pulse = Pulse(transport, self.patient, lambda: self.now)

    def quiet(self, seconds: float, look: float = LOOK) -> float | None:
        """Let nothing come for a while; return when the guest counted as hung, if it did."""
        begun = self.now
        while self.now - begun < seconds:
            self.now += look
            if self.pulse.look(heard=False):
                return self.now - begun
        return None

    def answered(self) -> None:
        """Let the answer through, and wait until it has been noted."""
        self.wire.answer.set()
        limit = time.monotonic() + 10
        while self.pulse._question is not None and self.pulse._question.is_alive():
            assert time.monotonic() < limit
            time.sleep(0.001)


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene()
    yield made
    made.answered()


def test_silence_is_a_hang_after_its_limit_and_not_before(scene: Scene) -> None:
    assert scene.quiet(100) == pytest.approx(SILENCE, abs=2 * LOOK)
    assert scene.wire.asked == 1  # one answer was due all the time


def test_a_quiet_command_in_a_guest_that_answers_is_none(scene: Scene) -> None:
    for _ in range(20):
        assert scene.quiet(SILENCE / 2) is None
        scene.answered()
        scene.wire.answer.clear()
    assert scene.wire.asked >= 10


def test_output_is_a_sign_of_life_and_spares_the_question(scene: Scene) -> None:
    for _ in range(200):
        assert scene.quiet(0.8) is None
        assert not scene.pulse.look(heard=True)
    assert scene.wire.asked == 0


def test_an_end_of_the_connection_is_no_answer(scene: Scene) -> None:
    assert scene.quiet(SILENCE / 2) is None
    scene.wire.active = False
    scene.answered()
    assert scene.quiet(SILENCE) == pytest.approx(SILENCE / 2, abs=2 * LOOK)


def test_time_in_which_the_host_slept_is_not_held_against_the_guest(scene: Scene) -> None:
    assert scene.quiet(600, look=60) is None
    assert scene.pulse.silent == pytest.approx(5.0)


def test_processors_that_stay_stuck_shorten_the_wait(scene: Scene) -> None:
    scene.patient.answers = iter([True] * 100)
    hung_after = scene.quiet(100)
    assert hung_after is not None
    assert SILENCE / 8 + 5 * 0.5 <= hung_after <= SILENCE / 8 + 6 * (0.5 + LOOK)


def test_processors_are_not_looked_at_before_the_guest_is_asked(scene: Scene) -> None:
    scene.patient.limits = LIMITS.times(0.1)  # an eighth of its limit of silence is half a second
    scene.patient.answers = iter([True] * 100)
    scene.quiet(ASK_AFTER - 2 * LOOK)
    assert scene.patient.looks == 0
    scene.quiet(4 * LOOK)
    assert scene.patient.looks == 1


def test_one_look_at_a_processor_that_can_be_interrupted_starts_the_count_anew(
    scene: Scene,
) -> None:
    scene.patient.answers = iter(([True] * 5 + [False]) * 100)
    assert scene.quiet(100) == pytest.approx(SILENCE, abs=2 * LOOK)


def test_nobody_looks_at_the_processors_of_a_guest_that_answers(scene: Scene) -> None:
    scene.wire.answer.set()
    for _ in range(60):
        assert scene.quiet(1.5) is None
        scene.answered()
    assert scene.patient.looks == 0
