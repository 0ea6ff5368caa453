# SPDX-License-Identifier: BSD-2-Clause
"""``make check-campaign``: three hosts, one of them lost, and the campaign itself interrupted.

The hosts are network namespaces (``hosts.py``). A campaign of virtual machines and of cells that
are counted runs on them; one worker is killed while it has a virtual machine, then the campaign is
killed, and then the same command is given again.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from cluster import descendants, running
from command import COUNTED, Command
from hosts import Host, hosts
from wait import SECONDS, wait_until

from lab.report.directory import Session

pytest_plugins = ["journal"]

HELLO = "lab/suites/test_hello.py"
CELLS = [
    {"tests": HELLO, "engine": "svm-tcg", "profile": "seed", "seed": "1-3"},
    {"tests": COUNTED, "seed": "1-9"},
]


@pytest.fixture
def three(journal: Path, tmp_path: Path) -> Iterator[list[Host]]:
    with hosts(("a", "b", "c"), tmp_path) as made:
        yield made


def test_a_worker_is_lost_and_the_campaign_is_interrupted(
    tmp_path: Path, journal: Path, three: list[Host]
) -> None:
    with running(three, tmp_path) as cluster:
        command = Command(tmp_path, CELLS, {"kind": "scheduler", "address": cluster.address})
        campaign = command.start()
        try:
            victim = cluster.workers[1]
            wait_until(lambda: any("qemu" in c for c in descendants(victim.process.pid).values()))
            below = descendants(victim.process.pid)
            (arguments,) = {c.split("-m pytest")[1] for c in below.values() if "-m pytest" in c}
            os.kill(victim.process.pid, signal.SIGKILL)
            wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), 10)

            (lost,) = [cell for cell in command.cells if " ".join(cell.arguments) in arguments]
            wait_until(lambda: len(command.results()) >= 5)
        finally:
            campaign.kill()
            campaign.wait()
        before = set(command.results())
        kept = command.files(before)
        assert 5 <= len(before) < len(command.cells)

        assert command.start().wait(SECONDS) == 0, command.said
    assert "lost " not in command.said, "a cell was given up, not run elsewhere"
    results = command.results()
    assert results.keys() == {cell.id for cell in command.cells}
    assert {result["outcome"] for result in results.values()} == {"passed"}
    assert results[lost.id]["worker"] in ("a", "c"), "the lost cell was run elsewhere"
    assert command.files(before) == kept, "what had a result was left alone"
    begun = Counter(journal.read_text().split())
    counted = [cell for cell in command.cells if cell.tests == (COUNTED,)]
    again = {cell.id: begun[dict(cell.options)["seed"]] for cell in counted}
    assert all(again[cell] == 1 for cell in again if cell in before), "and was not run again"
    assert all(times >= 1 for times in again.values())
    assert f"{len(before)} cells have a result already" in command.said
    check_the_session(command)


def check_the_session(command: Command) -> None:
    """The folder is a session of all tests of all cells, and holds nothing half-written."""
    session = Session(command.output)
    tests = Counter(entry.test for entry in session.entries())
    per_cell = [len(Session(command.output / "cells" / c.id).entries()) for c in command.cells]
    assert sum(tests.values()) == sum(per_cell)
    machines = [entry for entry in session.entries() if entry.cell]
    assert {entry.cell.rpartition("/")[2] for entry in machines} == {"seed-1", "seed-2", "seed-3"}
    assert all(entry.verdict == "passed" for entry in machines)
    assert list((command.output / "incoming").iterdir()) == []
    assert list((command.output / "unfinished").iterdir()) == []
    assert session.page.exists()
