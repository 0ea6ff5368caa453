# SPDX-License-Identifier: BSD-2-Clause
"""Stress runs: one seed decides all, and what fails is cut down to what is needed for it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.stress.plan import Operation, Step, make_plan, select
from lab.stress.runner import script, stress
from lab.stress.shrink import shrink

OPERATIONS = (
    Operation("a", lambda random: f"a {random.randrange(1000)}", weight=3),
    Operation("b", lambda random: f"b {random.random()}"),
    Operation("c", lambda _random: "c"),
)


@given(st.integers(), st.integers(1, 50))
def test_a_seed_is_a_plan(seed: int, count: int) -> None:
    plan = make_plan(OPERATIONS, seed, count)
    assert plan == make_plan(OPERATIONS, seed, count)
    assert [step.index for step in plan] == list(range(count))
    assert plan[: count // 2] == make_plan(OPERATIONS, seed, count // 2)


def test_seeds_differ_and_weights_count() -> None:
    plans = {make_plan(OPERATIONS, seed, 20) for seed in range(50)}
    assert len(plans) == 50
    names = [step.name for step in make_plan(OPERATIONS, 1, 2000)]
    assert 1000 < names.count("a") < 1400  # 3 of 5


def test_one_operation_drawing_more_leaves_the_others_alone() -> None:
    def draws_more(random: Random) -> str:
        return f"b {random.random()} {random.random()}"

    changed = (OPERATIONS[0], Operation("b", draws_more), OPERATIONS[2])
    before, after = make_plan(OPERATIONS, 7, 100), make_plan(changed, 7, 100)
    assert before != after
    assert [step for step in before if step.name != "b"] == [
        step for step in after if step.name != "b"
    ]


def test_steps_are_selected_by_place() -> None:
    plan = make_plan(OPERATIONS, 3, 10)
    assert select(plan, [2, 5]) == (plan[2], plan[5])
    with pytest.raises(ValueError, match="steps 0 to 9, not 10"):
        select(plan, [10])


@given(st.integers(2, 200).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_exactly_the_guilty_elements_remain(case: tuple[int, set[int]]) -> None:
    count, guilty = case
    tried: list[tuple[int, ...]] = []

    def fails(candidate: tuple[int, ...]) -> bool:
        tried.append(candidate)
        return guilty <= set(candidate)

    least = shrink(range(count), fails, lambda: True)
    # Delta debugging never tries the empty run; without a culprit one element is left.
    assert set(least) == guilty or (not guilty and len(least) == 1)
    assert list(least) == sorted(least)
    assert len(tried) == len(set(tried))


def test_order_may_be_what_fails() -> None:
    def fails(candidate: tuple[int, ...]) -> bool:
        return [element for element in candidate if element in {12, 90, 91}] == [12, 90, 91]

    assert shrink(range(200), fails, lambda: True) == (12, 90, 91)


def test_out_of_patience_means_the_best_so_far() -> None:
    left = iter([True] * 8)
    least = shrink(range(64), lambda tried: 5 in tried, lambda: next(left, False))
    assert 5 in least
    assert 1 < len(least) < 64


def plan_of(count: int) -> tuple[Step, ...]:
    return tuple(Step(index, "op", f"do {index}") for index in range(count))


def test_a_failure_is_cut_down_and_named(tmp_path: Path) -> None:
    def attempt(steps: tuple[Step, ...]) -> str:
        return "splat: WARNING in x" if {3, 77} <= {step.index for step in steps} else ""

    log = tmp_path / "steps.jsonl"
    failure = stress(plan_of(100), attempt, seed=42, log=log)
    assert failure is not None
    assert [step.index for step in failure.least] == [3, 77]
    assert failure.replay == "--lab-seed 42 --lab-steps 3,77"
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(entries) == failure.attempts + 1
    assert len(entries[0]["steps"]) == 100
    assert {entry["failure"] for entry in entries} == {"", "splat: WARNING in x"}


def test_no_failure_is_one_run(tmp_path: Path) -> None:
    assert stress(plan_of(5), lambda _steps: "", seed=1, log=tmp_path / "log") is None
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_another_failure_is_another_story(tmp_path: Path) -> None:
    def attempt(steps: tuple[Step, ...]) -> str:
        present = {step.index for step in steps}
        return "first" if {1, 2} <= present else ("second" if 1 in present else "")

    failure = stress(plan_of(16), attempt, seed=1, log=tmp_path / "log")
    assert failure is not None
    assert [step.index for step in failure.least] == [1, 2]


def test_a_race_that_shows_every_other_time_is_found(tmp_path: Path) -> None:
    shown = {"times": 0}

    def attempt(steps: tuple[Step, ...]) -> str:
        if not {4, 9} <= {step.index for step in steps}:
            return ""
        shown["times"] += 1
        return "race" if shown["times"] % 2 else ""

    failure = stress(plan_of(32), attempt, seed=1, log=tmp_path / "log")
    assert failure is not None
    assert [step.index for step in failure.least] == [4, 9]


def test_the_script_stops_at_the_first_failure(tmp_path: Path) -> None:
    steps = [
        Step(0, "first", "echo 'it''s' \"here\""),
        Step(4, "second", "exit 3"),
        Step(9, "third", "echo never"),
    ]
    # Its logs lie elsewhere for once: this is not a guest.
    text = (
        script(steps).replace("/tmp/steps", f"{tmp_path}/steps").replace("/dev/kmsg", "/dev/null")
    )
    ran = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=False)
    assert ran.stdout == "its here\nstep 4 second: status 3\n"
    assert ran.returncode == 3
    assert (tmp_path / "steps").read_text() == "0 first\n4 second\n"
