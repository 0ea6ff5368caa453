# SPDX-License-Identifier: BSD-2-Clause
"""A stress test in a session: what it is told, and what its failure looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plugin_suite import Suite

pytest_plugins = ["pytester", "plugin_suite"]

STRESS = """
from lab.session.stress import Setting
from lab.state import Preparation
from lab.stress.plan import Operation

def obey(guest):
    def warn_if_guilty(script):
        if all(f"step {place} " in script for place in (3, 17, 40)):
            guest.warn()
    guest.obey = warn_if_guilty

SETTING = Setting(preparation=Preparation("guilty", obey))

@pytest.mark.lab_stress(operations=50)
def test_it(stress):
    stress.run([Operation("any", lambda random: f"echo {random.random()}")], SETTING)
"""


def test_a_failure_names_the_least_steps_and_runs_them_again(suite: Suite) -> None:
    result = suite.run(STRESS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*splat: WARNING in dune_probe*",
            "*3 of 50 steps are enough, found in * runs and *",
            "  step 3 any: echo 0.*",
            "  step 40 any: echo 0.*",
            "*again: pytest *--lab-seed 5 --lab-steps 3,17,40",
        ]
    )
    kept = [line for line in suite.machines if line.startswith("keep")]
    assert len(kept) == 1  # not the machines of the search


def test_the_steps_of_every_run_are_kept_with_the_first_machine(suite: Suite) -> None:
    result = suite.run(STRESS)
    (line,) = (line for line in result.outlines if line.startswith("splat "))
    (log,) = Path(line.rpartition("[")[2].rstrip("]")).glob("results/*/steps.jsonl")
    first, *others = (json.loads(entry) for entry in log.read_text().splitlines())
    assert len(first["steps"]) == 50
    assert first["failure"] == "splat: WARNING in dune_probe"
    assert {entry["failure"] for entry in others} == {"", first["failure"]}


def test_chosen_steps_are_run_and_no_others(suite: Suite) -> None:
    suite.run(STRESS, "--lab-steps", "3,17").assert_outcomes(passed=1)
    result = suite.run(STRESS, "--lab-steps", "3,17,40,41")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["the steps were:", "  step 3 any: *"])
    result = suite.run(STRESS, "--lab-steps", "50")
    result.stdout.fnmatch_lines(["*--lab-steps: the plan has steps 0 to 49, not 50*"])


def test_the_last_word_is_part_of_every_run(suite: Suite) -> None:
    ill = "def conclude(guest):\n    assert guest.run('hello').status == 7, 'it is ill'\n"
    result = suite.run(
        ill + STRESS.replace('preparation=Preparation("guilty", obey)', "conclude=conclude")
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*it is ill*", "*1 of 50 steps are enough*"])


def test_another_seed_is_another_plan(suite: Suite) -> None:
    def steps(seed: str) -> list[str]:
        lines = suite.run(STRESS, "--lab-seed", seed).outlines
        return [line for line in lines if line.startswith("  step ")]

    assert steps("5") == steps("5") != steps("6")


def test_a_plan_needs_its_length(suite: Suite) -> None:
    result = suite.run(STRESS.replace("operations=50", "seconds=5"))
    result.stdout.fnmatch_lines(["*needs the marker lab_stress(operations=N)*"])
