# SPDX-License-Identifier: BSD-2-Clause
"""A lock that another holds, and one that nobody does."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import pytest

from lab.deadline import Deadline
from lab.errors import LabError
from lab.lock import hold


def test_a_free_lock_is_taken_without_a_word(tmp_path: Path) -> None:
    notes: list[str] = []
    with (tmp_path / "lock").open("w") as mine, (tmp_path / "lock").open("w") as other:
        hold(mine, tmp_path, Deadline.after(0, "nothing"), lambda: notes.append("waits"))
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert notes == []


def test_a_holder_that_lets_go_is_waited_for(tmp_path: Path) -> None:
    notes: list[str] = []
    with (tmp_path / "lock").open("w") as mine, (tmp_path / "lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        threading.Timer(0.2, fcntl.flock, (other, fcntl.LOCK_UN)).start()
        hold(mine, tmp_path, Deadline.after(20, "a test"), lambda: notes.append("waits"))
    assert notes == ["waits"]


def test_a_holder_that_hangs_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with lock.open("w") as mine, lock.open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        begun = time.monotonic()
        with pytest.raises(LabError) as caught:
            hold(mine, lock, Deadline.after(0.2, "a test"))
        assert 0.2 <= time.monotonic() - begun < 5
    assert str(lock) in caught.value.message
    assert "0.2 s for a test" in caught.value.message
