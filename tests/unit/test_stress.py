# SPDX-License-Identifier: BSD-2-Clause
"""Stress runs: one seed decides all, and what fails is cut down to what is needed for it."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.stress.plan import Operation, Step, make_plan, select
from lab.stress.runner import STOPPED, Run, script, stress
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


def run_of(steps: tuple[Step, ...], title: str) -> Run:
    return Run(title, len(steps))


def test_a_failure_is_cut_down_and_named() -> None:
    def attempt(steps: tuple[Step, ...]) -> Run:
        guilty = {3, 77} <= {step.index for step in steps}
        return run_of(steps, "splat: WARNING in x" if guilty else "")

    log: list[str] = []
    failure = stress(plan_of(100), attempt, log.append)
    assert failure is not None
    assert [step.index for step in failure.least] == [3, 77]
    assert failure.options == ("--lab-steps", "3,77")
    assert failure.told.startswith("splat: WARNING in x\n2 of 100 steps are enough, found in ")
    assert failure.told.endswith(":\n  step 3 op: do 3\n  step 77 op: do 77")
    entries = [json.loads(line) for line in log]
    assert len(entries) == failure.attempts + 1
    assert len(entries[0]["steps"]) == 100
    assert {entry["failure"] for entry in entries} == {"", "splat: WARNING in x"}


def test_steps_that_had_not_begun_are_not_tried() -> None:
    tried: list[tuple[int, ...]] = []

    def attempt(steps: tuple[Step, ...]) -> Run:
        tried.append(tuple(step.index for step in steps))
        guilty = {2, 9} <= set(tried[-1])
        return Run("x", tried[-1].index(9) + 1) if guilty else run_of(steps, "")

    failure = stress(plan_of(1000), attempt, lambda _line: None)
    assert failure is not None
    assert [step.index for step in failure.least] == [2, 9]
    assert all(max(steps) <= 9 for steps in tried[1:])


def test_no_failure_is_one_run() -> None:
    log: list[str] = []
    assert stress(plan_of(5), lambda steps: run_of(steps, ""), log.append) is None
    assert len(log) == 1


def test_a_failure_is_not_cut_down_unless_asked() -> None:
    log: list[str] = []
    failure = stress(plan_of(5), lambda steps: run_of(steps, "x"), log.append, shrinks=False)
    assert failure is not None
    assert failure.least == failure.steps
    assert len(log) == 1


def test_another_failure_is_another_story() -> None:
    def attempt(steps: tuple[Step, ...]) -> Run:
        present = {step.index for step in steps}
        second = "second" if 1 in present else ""
        return run_of(steps, "first" if {1, 2} <= present else second)

    failure = stress(plan_of(16), attempt, lambda _line: None)
    assert failure is not None
    assert [step.index for step in failure.least] == [1, 2]


def test_a_race_that_shows_every_other_time_is_found() -> None:
    shown = {"times": 0}

    def attempt(steps: tuple[Step, ...]) -> Run:
        if not {4, 9} <= {step.index for step in steps}:
            return run_of(steps, "")
        shown["times"] += 1
        return run_of(steps, "race" if shown["times"] % 2 else "")

    failure = stress(plan_of(32), attempt, lambda _line: None)
    assert failure is not None
    assert [step.index for step in failure.least] == [4, 9]


@pytest.mark.parametrize(
    ("second", "status", "last"),
    [
        ("exit 3", 3, "step 4 second: status 3, stopped\n"),
        ("echo 512 >tainted", 0, "step 4 second: status 0, tainted\n"),
    ],
)
def test_the_script_stops_at_the_first_failure(
    tmp_path: Path, second: str, status: int, last: str
) -> None:
    steps = [
        Step(0, "first", "echo 'it''s' \"here\""),
        Step(4, "second", second),
        Step(9, "third", "echo never"),
    ]
    (tmp_path / "tainted").write_text("4096\n")
    # Its files lie elsewhere for once: this is not a guest.
    text = script(steps).replace("/proc/sys/kernel/", "").replace("/tmp/", "")
    ran = subprocess.run(
        ["sh", "-c", text.replace("/dev/kmsg", "/dev/null")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "its here\n" + last
    assert re.search(STOPPED, ran.stdout, re.MULTILINE)
    assert ran.returncode == status
    assert (tmp_path / "steps").read_text() == "0 first\n4 second\n"
