# SPDX-License-Identifier: BSD-2-Clause
"""The life of a machine, with a stand-in for QEMU (``fake_qemu.py``) that plays each fate."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from lab.engine import SVM_TCG
from lab.errors import LabError, Status
from lab.machine.machine import Machine
from lab.machine.spec import MachineSpec

SPEC = MachineSpec(
    engine=SVM_TCG,
    kernel=Path("/k"),
    initramfs=Path("/i"),
    arguments=("quiet",),
    profile="seed",
    image_digest="abc",
)


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    fake = Path(__file__).with_name("fake_qemu.py")
    (programs / "qemu-system-x86_64").write_text(f'#!/bin/sh\nexec {sys.executable} {fake} "$@"\n')
    (programs / "qemu-system-x86_64").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path / "runs"


def left(runs: Path) -> list[Path]:
    return [path for path in runs.iterdir() if path.name != ".lock"]


def test_a_machine_is_pinned_where_it_was_wanted(runs: Path) -> None:
    last = max(os.sched_getaffinity(0))
    with Machine(replace(SPEC, pinned=(last,)), runs) as machine:
        assert os.sched_getaffinity(machine.pid) == {last}
        assert json.loads((machine.directory / "record.json").read_text())["pinned"] == [last]
    with Machine(SPEC, runs) as machine:
        assert os.sched_getaffinity(machine.pid) == os.sched_getaffinity(0)


def test_a_processor_that_is_not_there_is_told(runs: Path) -> None:
    with pytest.raises(LabError) as caught, Machine(replace(SPEC, pinned=(4000,)), runs):
        pass
    assert caught.value.status is Status.MISSING
    assert "Processor 4000 is not to be had" in caught.value.message
    assert not Path(
        f"/proc/{json.loads(next(runs.glob('*/record.json')).read_text())['pid']}/exe"
    ).exists()


def test_a_good_run_leaves_nothing(runs: Path) -> None:
    threads = set(threading.enumerate())
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    with Machine(SPEC, runs) as machine:
        assert machine.wait_ready(10) < 10
        assert machine.alive
        assert machine.ssh_port == 4022
        record = json.loads((machine.directory / "record.json").read_text())
        assert record["engine"] == "svm-tcg"
        assert record["boot_arguments"] == ["quiet"]
        assert record["pid"] == machine.pid
        pid = machine.pid
    assert not machine.alive
    assert left(runs) == []
    assert not Path(f"/proc/{pid}").exists()
    assert set(threading.enumerate()) <= threads
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


@pytest.mark.parametrize(
    ("fate", "sentence", "console"),
    [
        ("init", "before it was ready: dbos-lab: init failed: no seed.", "init failed"),
        (
            "panic",
            "before it was ready: Kernel panic - not syncing: for a test.",
            "end of the backtrace",
        ),
        ("crash", "before it was ready: QEMU was killed by SIGSEGV.", ""),
    ],
)
def test_a_death_on_the_way_is_told_at_once_and_kept(
    runs: Path, monkeypatch: pytest.MonkeyPatch, fate: str, sentence: str, console: str
) -> None:
    monkeypatch.setenv("FAKE_QEMU", fate)
    begun = time.monotonic()
    with pytest.raises(LabError) as caught, Machine(SPEC, runs) as machine:
        machine.wait_ready(30)
    assert time.monotonic() - begun < 5
    assert caught.value.status is Status.LOST
    assert caught.value.message.endswith(sentence)
    assert console in caught.value.detail
    [kept] = left(runs)
    assert str(kept) in caught.value.hint
    assert (kept / "failed").read_text().strip() == caught.value.message


@pytest.mark.parametrize(("fate", "said"), [("silent", "stayed silent"), ("talk", "no ready line")])
def test_a_guest_that_does_not_come_up(
    runs: Path, monkeypatch: pytest.MonkeyPatch, fate: str, said: str
) -> None:
    monkeypatch.setenv("FAKE_QEMU", fate)
    with pytest.raises(LabError) as caught, Machine(SPEC, runs) as machine:
        machine.wait_ready(0.5)
    assert said in caught.value.message
    assert "0.5 s for the boot" in caught.value.message
    assert caught.value.status is Status.HUNG
    assert not machine.alive
    assert (left(runs)[0] / "hang.json").exists()


def test_a_machine_found_hung_counts_as_dead_and_says_the_same_to_everyone(runs: Path) -> None:
    with Machine(SPEC, runs) as machine:
        machine.wait_ready(10)
        hang = machine.hung("It does not answer")
        assert not machine.alive
        assert machine.hung("It does something else") is hang
        assert machine.lost("while it ran 'true'") is hang
        begun = time.monotonic()
    assert time.monotonic() - begun < machine.limits.teardown / 4  # it took the request to quit
    assert not Path(f"/proc/{machine.pid}").exists()
    [kept] = left(runs)
    assert (kept / "failed").read_text().strip() == hang.message
    assert (kept / "vmcore").exists()


def test_a_panic_that_the_examination_provoked_is_not_the_guests(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "nmi")
    with Machine(SPEC, runs) as machine:
        machine.wait_ready(10)
        machine.hung("It does not answer")
        assert machine.qmp.seen("GUEST_PANICKED") is not None
        assert not machine.panicked


def test_a_panic_that_is_kept_leaves_a_dump_and_its_events(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "panic")
    with pytest.raises(LabError) as caught, Machine(SPEC, runs) as machine:
        machine.wait_ready(30)
    [kept] = left(runs)
    assert caught.value.hint.startswith(f"dbos-lab crash {kept}")
    assert (kept / "vmcore").read_bytes().startswith(b"KDUMP   ")
    assert not list(kept.glob(".*.flat"))
    assert "no stack trace" in (kept / "missing.txt").read_text().lower()
    events = [json.loads(line) for line in (kept / "events.jsonl").read_text().splitlines()]
    assert [event["event"] for event in events][:2] == ["GUEST_PANICKED", "SHUTDOWN"]
    assert events[1]["data"]["reason"] == "guest-reset"
    assert events[0]["time"] < events[1]["time"]


def test_a_reset_without_a_panic_is_a_crash_too(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "reset")
    with pytest.raises(LabError, match="it rebooted"), Machine(SPEC, runs) as machine:
        machine.wait_ready(30)
    assert (left(runs)[0] / "vmcore").exists()


def test_a_panic_that_was_expected_leaves_nothing(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_QEMU", "panic")
    with Machine(SPEC, runs) as machine:
        assert machine.dies_within(10)
        assert not machine.wait_end(0.5)  # QEMU stands still, to be looked at
    assert machine.wait_end(0)
    assert left(runs) == []


def test_a_dump_is_taken_once(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "panic")
    with Machine(SPEC, runs) as machine:
        assert machine.dies_within(10)
        machine.keep("for a test")
        (machine.crash_kit() / "vmcore").unlink()
    assert not (left(runs)[0] / "vmcore").exists()


def test_the_record_says_where_and_what(runs: Path) -> None:
    with Machine(replace(SPEC, kernel_release="6.1.0-9-amd64"), runs) as machine:
        record = json.loads((machine.directory / "record.json").read_text())
    assert record["kernel_release"] == "6.1.0-9-amd64"
    assert record["ssh_port"] == 4022
    assert record["owner"] == os.getpid()
    assert re.fullmatch(r"[0-9a-f]{40}(-dirty)?", record["git"])
    assert record["host"]["cores"] == len(os.sched_getaffinity(0))
    assert record["host"]["memory_mib"] > 0


def test_a_taken_port_is_one_clear_sentence(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "refuse:Could not set up host forwarding rule 'x'")
    with pytest.raises(LabError) as caught, Machine(replace(SPEC, ssh_port=2222), runs):
        pass
    assert caught.value.status is Status.USAGE
    assert caught.value.message == "Port 2222 of 127.0.0.1 is taken."


def test_qemus_own_words_when_it_refuses(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "refuse:unable to find CPU model 'EPIC'")
    with pytest.raises(LabError) as caught, Machine(SPEC, runs):
        pass
    assert caught.value.status is Status.LOST
    assert "status 1" in caught.value.message
    assert "unable to find CPU model 'EPIC'" in caught.value.detail
    assert "EPIC" in (left(runs)[0] / "qemu.log").read_text()


def test_a_monitor_that_says_nothing(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "mute")
    monkeypatch.setattr("lab.machine.qemu._START_TIMEOUT", 0.3)
    machine = Machine(SPEC, runs)
    with pytest.raises(LabError, match="said nothing"):
        machine.start()
    assert not machine.alive
    assert not Path(f"/proc/{machine.pid}").exists()


def test_no_qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError) as caught, Machine(SPEC, tmp_path / "runs"):
        pass
    assert caught.value.status is Status.MISSING
    assert "make setup" in caught.value.hint


def test_no_setpriv(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    machine = Machine(SPEC, runs)
    with pytest.raises(LabError, match="setpriv") as caught:
        machine.start()
    assert caught.value.status is Status.MISSING
    assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors


def test_an_exception_in_the_block_keeps_the_directory(runs: Path) -> None:
    with pytest.raises(ZeroDivisionError), Machine(SPEC, runs):
        raise ZeroDivisionError("by the test")
    [kept] = left(runs)
    assert "by the test" in (kept / "failed").read_text()


def test_ctrl_c_in_the_block_does_not(runs: Path) -> None:
    with pytest.raises(KeyboardInterrupt), Machine(SPEC, runs) as machine:
        raise KeyboardInterrupt
    assert left(runs) == []
    assert not machine.alive


def test_kept_on_demand(runs: Path) -> None:
    with Machine(SPEC, runs) as machine:
        machine.keep("a test failed")
        machine.keep("another")
    assert (left(runs)[0] / "failed").read_text() == "a test failed\n"


def test_a_machine_killed_from_outside_is_known_to_be_dead(runs: Path) -> None:
    with Machine(SPEC, runs) as machine:
        machine.wait_ready(10)
        os.kill(machine.pid, signal.SIGKILL)
        assert machine.dies_within(5)
        assert "killed by SIGKILL" in machine.lost("for a test").message


def test_two_at_once_share_nothing(runs: Path) -> None:
    with Machine(SPEC, runs) as one, Machine(SPEC, runs) as two:
        one.wait_ready(10)
        two.wait_ready(10)
        assert one.directory != two.directory
        assert one.pid != two.pid
        one.stop()
        assert two.alive
    assert left(runs) == []


def test_stopping_twice_is_harmless(runs: Path) -> None:
    machine = Machine(SPEC, runs)
    machine.start()
    machine.stop()
    machine.stop()
    assert left(runs) == []


def test_a_frozen_machine_is_stopped_within_seconds(runs: Path) -> None:
    with Machine(SPEC, runs) as machine:
        machine.wait_ready(10)
        os.kill(machine.pid, signal.SIGSTOP)
        begun = time.monotonic()
    assert time.monotonic() - begun < 10
    assert not Path(f"/proc/{machine.pid}").exists()


def test_commands_and_their_failures(runs: Path) -> None:
    with Machine(SPEC, runs) as machine:
        assert machine.qmp.execute("query-status") == {}
        with pytest.raises(LabError, match=r"refused wrong: no such thing"):
            machine.qmp.execute("wrong")
        with pytest.raises(LabError, match=r"did not answer stall within 0.2 s"):
            machine.qmp.execute("stall", timeout=0.2)
        assert machine.qmp.execute("query-status") == {}
    with pytest.raises(LabError, match=r"monitor is closed"):
        machine.qmp.execute("query-status")


def test_events_are_kept_and_waited_for(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_QEMU", "panic")
    with Machine(SPEC, runs) as machine:
        panicked = machine.qmp.wait_event("GUEST_PANICKED", 10)
        assert panicked is not None
        assert panicked.data == {"action": "none"}
        assert machine.panicked
        assert not machine.alive
        assert machine.qmp.wait_event("SHUTDOWN", 10) is not None
        assert [event.name for event in machine.qmp.events] == ["GUEST_PANICKED", "SHUTDOWN"]
        machine.qmp.execute("quit")
        begun = time.monotonic()
        assert machine.qmp.wait_event("NEVER", 30) is None  # the end cuts the wait short
        assert time.monotonic() - begun < 10


def test_a_command_in_flight_when_qemu_dies(runs: Path) -> None:
    with Machine(SPEC, runs) as machine:
        threading.Timer(0.2, os.kill, (machine.pid, signal.SIGKILL)).start()
        with pytest.raises(LabError, match=r"ended before it answered stall"):
            machine.qmp.execute("stall", timeout=30)
