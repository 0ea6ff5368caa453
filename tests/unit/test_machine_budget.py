# SPDX-License-Identifier: BSD-2-Clause
"""Slots for machines: counted across processes, freed by any death, no waiting in a circle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.machine.budget import OVERHEAD_MIB, Budget, holders, host_budget, machine_slot

HOLD = """
import sys, time
from pathlib import Path
from lab.machine.budget import Budget, machine_slot

with machine_slot(Path(sys.argv[1]), 100, patience=0, budget=lambda: Budget(2, 10**6)):
    print("held", flush=True)
    time.sleep(60)
"""
NEED = 100 + OVERHEAD_MIB


def of(machines: int, memory_mib: int = 10**6) -> Callable[[], Budget]:
    return lambda: Budget(machines, memory_mib)


@contextmanager
def another_process(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Hold a slot in a process that is none of ours: what it descends from is not this test."""
    command = [sys.executable, "-c", HOLD, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def take(
    directory: Path,
    budget: Callable[[], Budget],
    patience: float = 0.0,
    report: Callable[[str], None] = lambda _note: None,
) -> None:
    with machine_slot(directory, 100, patience=patience, budget=budget, report=report):
        pass


def test_host_is_measured(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:  4096 kB\nMemAvailable:    2048 kB\nHugePages_Total:   0\n")
    assert host_budget(meminfo).memory_mib == 2
    assert host_budget().machines >= 1


def test_slot_is_held_inside_the_block_only(tmp_path: Path) -> None:
    with machine_slot(tmp_path, 100, budget=of(1)):
        (slot,) = holders(tmp_path)
        assert slot.memory_mib == NEED
    assert holders(tmp_path) == ()


def test_other_process_is_waited_for_and_named(tmp_path: Path) -> None:
    notes: list[str] = []
    with another_process(tmp_path) as other:
        with pytest.raises(LabError) as caught:
            take(tmp_path, of(1), patience=0.2, report=notes.append)
        assert caught.value.status is Status.MISSING
        expected = f"1 of 1 machines run, held by process {other.pid}"
        assert expected in caught.value.message
        assert set(notes) == {f"waiting: {expected}"}
        take(tmp_path, of(2))


def test_killed_holder_frees_its_slot_at_once(tmp_path: Path) -> None:
    with another_process(tmp_path) as other:
        other.kill()
        other.wait(10)
        take(tmp_path, of(1))


def test_who_waits_gets_the_slot_that_becomes_free(tmp_path: Path) -> None:
    with another_process(tmp_path) as other:
        take(tmp_path, of(1), patience=10, report=lambda _note: other.kill())


def test_who_has_a_machine_never_waits_for_another(tmp_path: Path) -> None:
    with ExitStack() as machines:
        for _ in range(3):
            machines.enter_context(machine_slot(tmp_path, 100, patience=0, budget=of(1)))
        with another_process(tmp_path):  # a descendant: it asks for one of two, and three run
            assert len(holders(tmp_path)) == 4


def test_memory_promised_to_others_is_not_there(tmp_path: Path) -> None:
    with machine_slot(tmp_path, 100, budget=of(9, 2 * NEED)):
        take(tmp_path, of(9, 2 * NEED))
        with pytest.raises(LabError, match=f"{2 * NEED - 1} MiB of memory are available"):
            take(tmp_path, of(9, 2 * NEED - 1))
    take(tmp_path, of(9, NEED))


def test_memory_that_no_machine_has_is_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=f"1 MiB of memory are available, {NEED} needed") as caught:
        take(tmp_path, of(9, 1), patience=1)
    assert "within" not in caught.value.message
