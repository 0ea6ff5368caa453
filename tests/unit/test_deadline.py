# SPDX-License-Identifier: BSD-2-Clause
"""Points in time on a clock that only the test moves, and the limits they are made from."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.config import Config
from lab.deadline import BASE, GUEST_DETECTORS, MOST_STRETCH, PACES, Deadline, limits_for
from lab.engine import SVM_TCG, Accelerator
from lab.session.cell import Cell
from lab.session.machines import LabKeeper

SECONDS = st.floats(0, 1e6)

ROOT = Path(__file__).parents[2]


class Hands:
    """A clock whose hands are moved by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_it_comes_nearer_and_passes() -> None:
    clock = Hands()
    deadline = Deadline.after(2.5, "the boot", clock)
    assert (deadline.left(), deadline.passed) == (2.5, False)
    clock.now += 2
    assert (deadline.left(), deadline.passed) == (0.5, False)
    clock.now += 0.5
    assert (deadline.left(), deadline.passed) == (0, True)
    clock.now += 9
    assert deadline.left() == 0
    assert str(deadline) == "2.5 s for the boot"


@given(whole=SECONDS, spent=SECONDS, part=SECONDS)
def test_a_part_is_never_later_than_the_whole(whole: float, spent: float, part: float) -> None:
    clock = Hands()
    outer = Deadline.after(whole, "the whole", clock)
    clock.now += spent
    inner = outer.sooner(part, "a part")
    assert inner.left() <= min(outer.left(), part) + 1e-6
    if inner.what == "the whole":
        assert inner == outer
    else:
        assert inner.seconds == part


@given(st.sampled_from(Accelerator), st.one_of(st.none(), st.floats(1e-6, 1e9)))
def test_limits_are_bounded_below_and_above(accelerator: Accelerator, mips: float | None) -> None:
    factor = PACES[accelerator].factor
    limits = limits_for(accelerator, mips)
    assert limits.silence > GUEST_DETECTORS
    for limit, base in zip(astuple(limits), astuple(BASE), strict=True):
        assert base * factor <= limit <= GUEST_DETECTORS + base * factor * MOST_STRETCH


def test_a_slow_host_stretches_them_and_a_fast_one_does_not_shrink_them() -> None:
    expected = PACES[Accelerator.TCG].mips
    ordinary = limits_for(Accelerator.TCG)
    assert limits_for(Accelerator.TCG, expected * 10) == ordinary
    assert limits_for(Accelerator.TCG, expected / 2).boot == pytest.approx(2 * ordinary.boot)
    assert limits_for(Accelerator.TCG, 0.0) == ordinary  # not measured


def test_engines_are_given_time_by_their_speed() -> None:
    kvm, tcg, bochs = (limits_for(kind) for kind in Accelerator)
    assert kvm.boot < tcg.boot < bochs.boot
    assert kvm.silence < tcg.silence < bochs.silence


def test_a_user_can_have_all_limits_multiplied() -> None:
    limits = limits_for(Accelerator.TCG)
    assert astuple(limits.times(2.5)) == tuple(2.5 * seconds for seconds in astuple(limits))
    assert limits.times(1.0) == limits


def test_the_users_factor_reaches_every_machine_of_a_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = SimpleNamespace(engine=SVM_TCG, mips=None)
    monkeypatch.setattr("lab.lab.usable_engines", lambda _config: [probe])
    monkeypatch.setattr("lab.lab.recall", lambda _config: [probe])
    config = Config(source=ROOT, cache=tmp_path, runs=tmp_path / "runs")
    cell = Cell("debian-12", "6.1.0", "6.1", "svm-tcg", "seed")
    limits = LabKeeper(config, 2.5).lab(cell).limits
    assert limits == limits_for(Accelerator.TCG).times(2.5)
