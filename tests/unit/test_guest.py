# SPDX-License-Identifier: BSD-2-Clause
"""Commands over SSH, against a stand-in for the guest (``fake_sshd.py``)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from fake_sshd import FakeMachine

from lab.command import CommandTimeoutError
from lab.config import Config
from lab.errors import LabError, Status
from lab.guest import Guest
from lab.machine.machine import Machine
from lab.sshkey import Keys, ensure_keys

MIB = 1 << 20


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    base = tmp_path_factory.mktemp("lab")
    return ensure_keys(Config(base, base / "cache", base / "runs"))


@pytest.fixture
def machine(keys: Keys) -> Iterator[FakeMachine]:
    fake = FakeMachine(keys)
    yield fake
    fake.close()


@pytest.fixture
def client(machine: FakeMachine, keys: Keys) -> Iterator[Guest]:
    with Guest(cast(Machine, machine), keys) as connected:
        yield connected


def test_status_and_both_outputs(client: Guest) -> None:
    result = client.run("echo out; echo err >&2; exit 3")
    assert (result.status, result.stdout, result.stderr) == (3, b"out\n", b"err\n")
    assert result.text == "out\n"
    assert result.command == "echo out; echo err >&2; exit 3"


def test_big_output_on_both_streams_at_once_is_complete(client: Guest) -> None:
    command = f"head -c {10 * MIB} /dev/zero >&2 & head -c {10 * MIB} /dev/zero; wait"
    result = client.run(command, timeout=60)
    assert (len(result.stdout), len(result.stderr)) == (10 * MIB, 10 * MIB)


def test_output_written_before_any_input_is_read(client: Guest) -> None:
    data = bytes(range(256)) * (4 * MIB // 256)
    result = client.run(f"head -c {4 * MIB} /dev/zero; cat", input=data, timeout=60)
    assert result.stdout == bytes(4 * MIB) + data


def test_input_that_nobody_reads_is_no_error(client: Guest) -> None:
    assert client.run("exec <&-; exit 5", input=bytes(8 * MIB), timeout=60).status == 5
    assert client.run("echo next").text == "next\n"


def test_no_input_is_an_end_of_file(client: Guest) -> None:
    assert client.run("cat; echo end", timeout=10).text == "end\n"


def test_a_command_may_close_its_output_and_go_on(client: Guest) -> None:
    begun = time.monotonic()
    before = time.process_time()
    assert client.run("exec >&- 2>&-; sleep 0.5; exit 4").status == 4
    assert time.monotonic() - begun >= 0.5
    assert time.process_time() - before < 0.25  # waited, not spun


def test_check_dies_with_the_output(client: Guest) -> None:
    with pytest.raises(LabError) as caught:
        client.run("echo why; echo because >&2; exit 3", check=True)
    assert caught.value.status is Status.FAILED
    assert "ended with status 3" in caught.value.message
    assert caught.value.detail == "why\nbecause\n"


def test_a_timeout_kills_the_whole_tree(client: Guest, tmp_path: Path) -> None:
    marks = [tmp_path / name for name in "abc"]
    loop = "while :; do echo x >>{}; sleep 0.05; done"
    tree = f"{loop.format(marks[0])} & ({loop.format(marks[1])} & {loop.format(marks[2])} | cat)"
    begun = time.monotonic()
    with pytest.raises(CommandTimeoutError) as caught:
        client.run(f"echo begun; {tree}", timeout=0.6)
    assert time.monotonic() - begun < 5
    assert "did not end within 0.6 s" in caught.value.message
    assert "it was killed" in caught.value.message
    assert caught.value.result.stdout == b"begun\n"
    sizes = [mark.stat().st_size for mark in marks]
    assert all(sizes)
    time.sleep(0.3)
    assert [mark.stat().st_size for mark in marks] == sizes
    assert client.run("echo next").text == "next\n"


def test_a_guest_that_does_not_even_kill_is_hung(client: Guest, machine: FakeMachine) -> None:
    machine.limits = replace(machine.limits, teardown=0.3)
    machine.deaf.set()
    begun = time.monotonic()
    with pytest.raises(LabError) as caught:
        client.run("true", timeout=0.3)
    assert time.monotonic() - begun < 5
    assert caught.value.status is Status.HUNG
    assert caught.value.message == (
        "'true' did not end within 0.3 s in the guest; "
        "the guest does not answer any more: for a test."
    )
    assert isinstance(caught.value.__cause__, CommandTimeoutError)


def test_a_guest_that_falls_silent_is_hung_long_before_the_commands_deadline(
    client: Guest, machine: FakeMachine
) -> None:
    machine.silent.set()
    begun = time.monotonic()
    with pytest.raises(LabError, match=r"no sign of life for 2 s while it ran 'sleep 30'") as hung:
        client.run("sleep 30", timeout=25)
    assert machine.limits.silence <= time.monotonic() - begun < machine.limits.silence + 5
    assert hung.value.status is Status.HUNG


def test_a_silent_command_in_a_guest_that_answers_is_let_be(
    client: Guest, machine: FakeMachine
) -> None:
    limit = machine.limits.silence
    assert client.run(f"sleep {2 * limit}; echo done", timeout=25).text == "done\n"


def test_stuck_processors_end_the_wait_sooner(client: Guest, machine: FakeMachine) -> None:
    machine.limits = replace(machine.limits, silence=12.0)
    machine.silent.set()
    machine.no_interrupts = True
    begun = time.monotonic()
    with pytest.raises(LabError, match=r"no sign of life"):
        client.run("sleep 30", timeout=25)
    assert time.monotonic() - begun < 10


def test_every_command_of_a_guest_that_hangs_says_so(client: Guest, machine: FakeMachine) -> None:
    machine.silent.set()

    def hang(_number: int) -> Status:
        with pytest.raises(LabError) as caught:
            client.run("sleep 30", timeout=25)
        return caught.value.status

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(hang, range(3))) == [Status.HUNG] * 3


def test_a_start_that_gets_no_answer_is_a_hang(client: Guest, machine: FakeMachine) -> None:
    machine.limits = replace(machine.limits, connect=0.5)
    held = threading.Event()
    machine.before_exec = held.wait
    try:
        with pytest.raises(LabError, match=r"did not answer within 0\.5 s for a command to begin"):
            client.run("true")
    finally:
        held.set()
    assert machine.hang is not None


@pytest.mark.parametrize("hang_up", [True, False])
def test_the_machines_death_ends_a_command_at_once(
    client: Guest, machine: FakeMachine, hang_up: bool
) -> None:
    threading.Timer(0.2, lambda: machine.die(hang_up=hang_up)).start()
    begun = time.monotonic()
    with pytest.raises(LabError) as caught:
        client.run("sleep 30", timeout=20)
    assert time.monotonic() - begun < 1.2
    assert caught.value.status is Status.LOST
    assert caught.value.message == "The guest was lost while it ran 'sleep 30': for a test."
    with pytest.raises(LabError, match=r"The guest was lost"):
        client.run("true")


def test_a_broken_connection_to_a_living_machine_says_so(
    client: Guest, machine: FakeMachine
) -> None:
    threading.Timer(0.2, machine.hang_up).start()
    with pytest.raises(LabError, match=r"The connection to the guest broke while it ran"):
        client.run("sleep 30", timeout=20)
    assert client.run("echo again").text == "again\n"


def test_commands_one_after_the_other_share_a_connection(
    client: Guest, machine: FakeMachine
) -> None:
    for number in range(10):
        assert client.run(f"echo {number}").text == f"{number}\n"
    assert machine.logins == 1


def test_a_connection_with_a_command_cut_short_is_not_used_again(
    client: Guest, machine: FakeMachine
) -> None:
    client.start("sleep 30").close()
    assert machine.logins == 1
    client.run("true")
    assert machine.logins == 2


def test_commands_side_by_side(client: Guest) -> None:
    def talk(number: int) -> bool:
        data = b"%d" % number * 1000
        results = [client.run(f"echo {number}; cat", input=data) for _ in range(5)]
        return all(result.stdout == b"%d\n" % number + data for result in results)

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(talk, range(8)))


def test_a_known_state_ends_with_the_first_request(client: Guest, tmp_path: Path) -> None:
    assert client.state == ""
    client.know_as("loaded")
    assert client.state == "loaded"
    client.run("true")
    assert client.state == ""
    client.know_as("loaded")
    with pytest.raises(LabError):  # there is no SFTP here; but it was asked
        client.put(tmp_path, "copy")
    assert client.state == ""


def test_one_can_be_started_and_waited_for_later(client: Guest) -> None:
    slow = client.start("sleep 0.3; echo slow")
    assert client.run("echo quick").text == "quick\n"
    assert slow.wait(10).text == "slow\n"


def test_a_stranger_on_the_port_is_refused(
    machine: FakeMachine, keys: Keys, tmp_path: Path
) -> None:
    other = ensure_keys(Config(tmp_path, tmp_path / "cache", tmp_path / "runs"))
    with (
        pytest.raises(LabError, match=r"Something else than the lab's guest answers"),
        Guest(cast(Machine, machine), replace(keys, host=other.host)),
    ):
        pass


def test_a_guest_that_does_not_know_us(machine: FakeMachine, keys: Keys, tmp_path: Path) -> None:
    other = ensure_keys(Config(tmp_path, tmp_path / "cache", tmp_path / "runs"))
    with (
        pytest.raises(LabError, match=r"before it let the lab log in: Authentication failed\.\n"),
        Guest(cast(Machine, machine), replace(keys, client=other.client)),
    ):
        pass
