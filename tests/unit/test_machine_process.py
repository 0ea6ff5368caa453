# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.machine.process import Process, guarded

PARENT = """
import sys, time
from pathlib import Path
from lab.machine.process import Process
child = Process(["sleep", "60"], Path(sys.argv[1]))
print(child.start(), flush=True)
time.sleep(60)
"""


def gone(pid: int, within: float = 5.0) -> bool:
    """Tell whether a process that may be nobody's child any more ends in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGTERM])
def test_the_child_dies_with_its_parent_however_that_dies(
    tmp_path: Path, death: signal.Signals
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "err")], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not gone(pid, 0.1)
    parent.send_signal(death)
    parent.wait()
    parent.stdout.close()
    assert gone(pid)


def test_the_child_is_not_begun_if_its_parent_is_gone_already(tmp_path: Path) -> None:
    proof = tmp_path / "proof"
    not_ours = os.getppid()
    ended = subprocess.run(guarded(["touch", str(proof)], not_ours), check=False)
    assert ended.returncode == 125
    assert not proof.exists()
    subprocess.run(guarded(["touch", str(proof)], os.getpid()), check=True)
    assert proof.exists()


def test_the_pid_is_the_programs_own_and_arguments_arrive_unchanged(tmp_path: Path) -> None:
    child = Process(["sh", "-c", 'echo $$ "$1" >&2', "sh", "a  b $x"], tmp_path / "err")
    pid = child.start()
    assert child.wait(5)
    assert (tmp_path / "err").read_text() == f"{pid} a  b $x\n"
    assert child.status == 0


def test_the_thread_that_starts_a_child_may_end(tmp_path: Path) -> None:
    child = Process(["sleep", "60"], tmp_path / "err")
    starter = threading.Thread(target=child.start)
    starter.start()
    starter.join()
    assert not child.wait(0.3)
    assert child.running
    child.end()
    assert child.status == -signal.SIGTERM


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    child = Process(
        ["sh", "-c", "trap '' TERM; echo on >&2; while :; do sleep 1; done"], tmp_path / "err"
    )
    child.start()
    while not (tmp_path / "err").read_text():
        time.sleep(0.01)
    child.end(patience=0.2)
    assert child.status == -signal.SIGKILL
    assert not child.running


def test_ctrl_c_on_the_terminal_does_not_reach_the_child(tmp_path: Path) -> None:
    child = Process(["sleep", "60"], tmp_path / "err")
    assert os.getsid(child.start()) != os.getsid(0)
    child.end()


def test_a_child_that_cannot_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    child = Process(["true"], tmp_path / "err")
    with pytest.raises(FileNotFoundError, match="setpriv"):
        child.start()
    assert not child.running
    child.end()


def test_descriptors_are_passed_on(tmp_path: Path) -> None:
    read, write = os.pipe()
    child = Process(["sh", "-c", f"echo hi > /dev/fd/{write}"], tmp_path / "err", pass_fds=(write,))
    child.start()
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read() == "hi\n"
    assert child.wait(5)
