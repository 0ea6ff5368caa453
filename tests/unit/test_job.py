# SPDX-License-Identifier: BSD-2-Clause
"""The text around commands, tried with the shell of this host; the guest's is no different in this.

This host has no group for the lab's commands, so what is killed here is killed as a session; the
groups are tried in a guest (``lab/suites/test_bounds.py``).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.job import Job, split_session

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=40
)


def shell(command: str, program: str = "sh") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program, "-c", command], capture_output=True, check=False)


@settings(max_examples=30, deadline=None)
@given(TEXT)
def test_a_wrapped_command_says_what_it_would_have_said(text: str) -> None:
    command = f"cat <<'THE END'\n{text}\nTHE END\n"
    if "THE END" in text:
        return
    session, stdout = split_session(shell(Job().wrapped(command)).stdout)
    assert session is not None
    assert stdout == shell(command).stdout


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("exit 7", 7),
        ("kill -KILL $$", 137),
        ("kill -SEGV $$", 139),
        ("exec sh -c 'kill -KILL $$'", 137),
        ("nosuchcommand", 127),
        ("if", 2),
        ("true # comment", 0),
        ("echo 'it''s' \"$((1+1))\" >&2", 0),
    ],
)
def test_the_status_is_the_shells(command: str, status: int) -> None:
    assert shell(Job().wrapped(command)).returncode == status
    # One that replaces itself by its last command, if it may.
    assert shell(Job().wrapped(command), "bash").returncode == status


@pytest.mark.parametrize(
    ("stdout", "parts"),
    [
        (b"", (None, b"")),
        (b"123", (None, b"123")),
        (b"123\n", (123, b"")),
        (b"123\nrest\n4", (123, b"rest\n4")),
        (b"sh: not found\n", (None, b"sh: not found\n")),
    ],
)
def test_the_first_line_is_ours_once_it_is_whole(
    stdout: bytes, parts: tuple[int | None, bytes]
) -> None:
    assert split_session(stdout) == parts


def test_killing_takes_all_of_a_session_and_no_one_else() -> None:
    own_group = "import os; os.setpgid(0, 0); os.execlp('sleep', 'sleep', '60')"
    tree = f'{sys.executable} -c "{own_group}" & (sleep 62 & sleep 63 | sleep 64) & wait'
    victim = subprocess.Popen(["sh", "-c", Job().wrapped(tree)], stdout=subprocess.PIPE, text=True)
    bystander = subprocess.Popen(["sleep", "65"], start_new_session=True)
    try:
        assert victim.stdout is not None
        session = int(victim.stdout.readline())
        deadline = time.monotonic() + 10
        while len(members(session)) < 6 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(members(session)) == 6
        assert shell(Job().killing(session)).returncode == 0
        assert members(session) == []
        assert victim.wait(5) == 137
        assert bystander.poll() is None
        victim.stdout.close()
    finally:
        bystander.kill()
        bystander.wait()


def test_killing_nobody_is_done_at_once() -> None:
    assert shell(Job().killing(999_999_999)).returncode == 0


def test_a_group_that_its_job_removes_meanwhile_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.job.GROUPS", str(tmp_path))
    job = Job()
    Path(job.group).mkdir()
    # A file in it keeps this directory from being removed, as a process does a control group.
    own = threading.Timer(0.3, shutil.rmtree, (job.group,))
    own.start()
    assert shell(job.killing(None)).returncode == 0
    own.join()


def members(session: int) -> list[str]:
    listed = subprocess.run(
        ["ps", "-o", "stat=", "-s", str(session)], capture_output=True, text=True, check=False
    )
    return [state for state in listed.stdout.split() if not state.startswith("Z")]


def test_what_was_killed_before_it_began_does_not_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.job.GROUPS", str(tmp_path))
    job = Job()
    Path(job.group).touch()  # in the way of the directory: as if it had been made and removed
    done = shell(job.wrapped("echo begun"))
    assert done.stdout == b""
    assert done.returncode != 0


def test_no_two_jobs_share_a_group() -> None:
    assert len({Job().group for _ in range(100)}) == 100
