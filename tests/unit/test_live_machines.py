# SPDX-License-Identifier: BSD-2-Clause
"""Machines of other processes: a shell plays QEMU, for all that counts is its command line."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lab.errors import LabError, Status
from lab.live.down import end
from lab.live.follow import follow
from lab.live.inventory import inventory, variables
from lab.live.machines import LiveMachine, choose, live_machines
from lab.live.table import age, table_of
from lab.machine.rundir import RunDir, end_process


class Fleet:
    """Run directories with a process each."""

    def __init__(self, runs: Path) -> None:
        self.runs = runs
        self.processes: list[subprocess.Popen[bytes]] = []
        self.owned: list[RunDir] = []

    def start(self, *, ignores_sigterm: bool = False) -> Path:
        directory = RunDir.create(self.runs)
        self.owned.append(directory)
        trap = 'trap "" TERM; ' if ignores_sigterm else ""
        script = f"{trap}echo up; while :; do sleep 0.05; done"
        process = subprocess.Popen(
            ["sh", "-c", script, "sh", str(directory.path)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        self.processes.append(process)
        started = datetime.now(UTC) - timedelta(minutes=7)
        record = {"engine": "svm-tcg", "ssh_port": 4022, "started": started.isoformat()}
        directory.write_start(process.pid, ["x"], record)
        return directory.path


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path / "runs")
    yield made
    for process in made.processes:
        process.kill()
        process.communicate()
    for directory in made.owned:
        directory.remove()


def test_only_what_runs_is_listed(fleet: Fleet) -> None:
    assert live_machines(fleet.runs) == ()
    one, two = fleet.start(), fleet.start()
    fleet.processes[0].kill()
    fleet.processes[0].wait()
    [machine] = live_machines(fleet.runs)
    assert machine.directory == two
    assert machine.directory != one
    assert machine.pid == fleet.processes[1].pid
    assert machine.resident_mib >= 0
    assert 420 <= machine.seconds < 480
    assert two.name.endswith(f"-{machine.id}")


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], "running"),
        (["STOP", "RESUME"], "running"),
        (["SHUTDOWN"], "halted"),
        (["GUEST_PANICKED", "SHUTDOWN"], "panicked"),
    ],
)
def test_the_state_is_what_the_events_say(fleet: Fleet, events: list[str], state: str) -> None:
    path = fleet.start()
    lines = [json.dumps({"time": "x", "event": event, "data": {}}) for event in events]
    (path / "events.jsonl").write_text("\n".join(lines))
    assert live_machines(fleet.runs)[0].state == state


def test_a_machine_whose_owner_died_says_so(fleet: Fleet) -> None:
    fleet.start()
    fleet.owned[0].release("its owner died")
    assert live_machines(fleet.runs)[0].state == "orphaned"


def test_the_user_is_the_test_that_claimed_it_or_the_owner(fleet: Fleet) -> None:
    path = fleet.start()
    (path / "record.json").write_text(json.dumps({"owner": fleet.processes[0].pid}))
    assert live_machines(fleet.runs)[0].user.startswith("sh ")
    (path / "used-by").write_text("tests/test_it.py::test_it[seed]\n")
    assert live_machines(fleet.runs)[0].user == "tests/test_it.py::test_it[seed]"


def test_a_record_that_makes_no_sense_does_no_harm(fleet: Fleet) -> None:
    (fleet.start() / "record.json").write_text("[")
    [machine] = live_machines(fleet.runs)
    assert (machine.seconds, machine.user) == (0.0, "")


def machine_of(name: str) -> LiveMachine:
    return LiveMachine(Path("/runs", name), 1, "running", "", 1, {})


def test_ansible_finds_systems_that_run_and_knows_bare_guests_for_what_they_are() -> None:
    system = replace(machine_of("a-one"), record={"disk": "/d", "engine": "svm-tcg"})
    dead = replace(machine_of("a-two"), record={"disk": "/d"}, state="panicked")
    found = inventory([system, machine_of("a-bare"), dead])
    assert found["privileged_guests"] == {"hosts": ["one"]}
    assert found["bare_guests"] == {"hosts": ["bare"]}
    assert found["_meta"] == {
        "hostvars": {"one": variables(system), "bare": variables(machine_of("a-bare"))}
    }
    assert variables(system)["ansible_ssh_common_args"] == '-F "/runs/a-one/ssh_config"'
    assert variables(system)["ansible_host"] == "guest"


def test_no_machine_one_machine_several() -> None:
    one, two = machine_of("20261124-080000-abc_def1"), machine_of("20261124-080001-abd_def2")
    with pytest.raises(LabError, match="No machine is running") as caught:
        choose([], None)
    assert "dbos-lab up" in caught.value.hint
    assert choose([one], None) is one
    with pytest.raises(LabError, match="2 machines are running") as caught:
        choose([one, two], None)
    assert caught.value.hint == "give one of these: abc_def1, abd_def2"
    assert caught.value.status is Status.USAGE
    with pytest.raises(LabError, match="2 machines have an ID that begins with 'ab'"):
        choose([one, two], "ab")
    with pytest.raises(LabError, match="No machine has an ID that begins with 'x'"):
        choose([one, two], "x")
    assert choose([one, two], "abd") is two
    assert choose([one, two], "20261124-080001") is two


IDS = st.lists(st.from_regex(r"[a-z0-9_]{8}", fullmatch=True), min_size=1, unique=True)


@given(IDS, st.data())
def test_any_prefix_that_fits_one_finds_it(ids: list[str], data: st.DataObject) -> None:
    machines = [machine_of(f"20261124-080000-{id_}") for id_ in ids]
    wanted = data.draw(st.sampled_from(machines))
    prefix = wanted.id[: data.draw(st.integers(1, 8))]
    fitting = [id_ for id_ in ids if id_.startswith(prefix)]
    if len(fitting) == 1:
        assert choose(machines, prefix) is wanted
    else:
        with pytest.raises(LabError):
            choose(machines, prefix)


@pytest.mark.parametrize("ignores_sigterm", [False, True])
def test_down_ends_the_process_and_leaves_the_directory_to_its_owner(
    fleet: Fleet, ignores_sigterm: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.live.down._PATIENCE", 0.5)
    path = fleet.start(ignores_sigterm=ignores_sigterm)
    [machine] = live_machines(fleet.runs)

    def end_and_be_noticed(handle: int, how: signal.Signals, timeout: float) -> bool:
        ended = end_process(handle, how, timeout)
        if ended:  # the owner is quick: it has kept the directory and let go of it
            fleet.owned[0].release("the guest was lost")
        return ended

    monkeypatch.setattr("lab.live.down.end_process", end_and_be_noticed)
    assert end(machine)
    assert fleet.processes[0].wait(5) == (-9 if ignores_sigterm else -15)
    assert path.exists()
    assert live_machines(fleet.runs) == ()


def test_down_clears_away_what_a_dead_owner_left(fleet: Fleet) -> None:
    path = fleet.start()
    [machine] = live_machines(fleet.runs)
    fleet.owned[0].release("its owner died")
    assert end(machine)
    assert not path.exists()


def test_the_console_is_shown_from_its_beginning_to_the_machines_end(fleet: Fleet) -> None:
    path = fleet.start()
    (path / "console").write_bytes(b"first\xff\n")
    [machine] = live_machines(fleet.runs)
    shown = io.BytesIO()
    follow(machine, shown, forever=False)
    assert shown.getvalue() == b"first\xff\n"

    shown = io.BytesIO()
    reader = threading.Thread(target=follow, args=(machine, shown))
    reader.start()
    time.sleep(0.2)
    with (path / "console").open("ab") as console:
        console.write(b"last\n")
    fleet.processes[0].kill()
    fleet.processes[0].wait()
    reader.join(5)
    assert not reader.is_alive()
    assert shown.getvalue() == b"first\xff\nlast\n"


def test_the_table_has_what_is_needed_to_find_ones_way(fleet: Fleet) -> None:
    path = fleet.start()
    (path / "used-by").write_text("test_it.py::test_it")
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table_of(live_machines(fleet.runs)))
    row = console.export_text().splitlines()[1]
    for word in (path.name[-8:], str(fleet.processes[0].pid), "7 min", "4022", "test_it.py"):
        assert word in row


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (2e5, "2 d")]
)
def test_ages(seconds: float, text: str) -> None:
    assert age(seconds) == text
