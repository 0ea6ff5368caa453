# SPDX-License-Identifier: BSD-2-Clause
"""The memory layer of libdbos on the model of the hardware: its properties, and its mutants.

Seeds are fixed: the same schedules each time. ``make check-mutants`` runs all of the mutants.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.mutants import Mutant, apply, build, copy_sources, mutants, run, try_mutant

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = {
    "T1": 25000,
    "T2": 25000,
    "T3": 25000,
    "T4": 25000,
    "T5": 25000,
    "S1": 4000,
    "S1-ready": 800,
    "S1-leave": 800,
    "S1-race": 800,
    "S11": 800,
    "S16": 1500,
    "B1": 25000,
    "B7": 25000,
    "B8": 25000,
}
"""More than 10^5 in all, less than a minute of an idle processor. Those of S are longer."""
EASY = (
    "flush-local-only",
    "one-quiescent-point-early",
    "call-lost-when-full",
    "snap-pins-the-world",
    "pool-dirty-is-not-looked-at-again",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("model")
    copy_sources(ROOT, tree)
    return build(tree)


@pytest.mark.parametrize("name", SCHEDULES)
def test_property(model: Path, name: str) -> None:
    done = subprocess.run(
        [model, "-p", name, "-n", str(SCHEDULES[name])], capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_is_a_schedule(model: Path) -> None:
    def steps(seed: int) -> str:
        argv = [str(model), "-n", "1", "-s", str(seed)]
        lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        return "".join(line.rpartition(",")[0] for line in lines.splitlines())

    assert steps(7) == steps(7)
    assert steps(7).replace("seed 7", "") != steps(8).replace("seed 8", "")


def test_there_are_mutants() -> None:
    assert len(mutants(ROOT)) >= 10


@pytest.mark.parametrize("mutant", mutants(ROOT), ids=lambda mutant: mutant.name)
def test_a_mutant_applies(mutant: Mutant, tmp_path: Path) -> None:
    copy_sources(ROOT, tmp_path)
    assert apply(mutant, tmp_path) == ""


@pytest.mark.parametrize("name", EASY)
def test_a_mutant_is_found_and_its_seed_shows_it_again(name: str, tmp_path: Path) -> None:
    (mutant,) = (mutant for mutant in mutants(ROOT) if mutant.name == name)
    first = try_mutant(ROOT, mutant, 2000)
    copy_sources(ROOT, tmp_path)
    apply(mutant, tmp_path)
    assert first is not None
    second = run(build(tmp_path), 2000, first.property[0])
    assert second is not None
    assert (first.property, first.schedule, first.reason) == (
        second.property,
        second.schedule,
        second.reason,
    )
