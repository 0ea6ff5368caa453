# SPDX-License-Identifier: BSD-2-Clause
"""A machine's private directory: what it writes while it runs, and what is left to look at after.

A directory belongs to the process that holds the lock on the file ``lock`` in it. The kernel drops
the lock when that process ends, however it ends; so a directory without a holder is garbage, and
``sweep`` may take it. No pid has to be believed for that.
"""

from __future__ import annotations

import fcntl
import json
import os
import select
import shlex
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

KEPT = 20
"""How many directories of failed runs are kept; older ones are removed."""

_FAILED = "failed"
_PID = "pid"
_LOCK = "lock"


class RunDir:
    """A directory that this process owns until ``remove`` or ``release``."""

    def __init__(self, path: Path, lock: TextIO) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls, runs: Path) -> RunDir:
        """Make a new directory below ``runs``, readable by this user only."""
        runs.mkdir(parents=True, exist_ok=True)
        # Names sort by age; mkdtemp makes them unique and mode 0700.
        with _all_of(runs):  # else a sweep could meet the directory before its lock is held
            path = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=runs))
            lock = (path / _LOCK).open("w")
            fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path, lock)

    @property
    def console(self) -> Path:
        """What the guest wrote to its serial port."""
        return self.path / "console"

    @property
    def stderr(self) -> Path:
        """What QEMU itself said."""
        return self.path / "qemu.log"

    def write_start(self, pid: int, argv: Sequence[str], record: Mapping[str, object]) -> None:
        """Note the process, its command line (fit for a shell) and the facts of the run."""
        (self.path / _PID).write_text(f"{pid}\n")
        (self.path / "argv").write_text(shlex.join(argv) + "\n")
        (self.path / "record.json").write_text(json.dumps(record, indent=2) + "\n")

    def release(self, failure: str) -> None:
        """Give up ownership and leave the directory to be read; ``failure`` says why it is kept."""
        if self._lock.closed:
            return
        (self.path / _FAILED).write_text(failure + "\n")
        self._lock.close()

    def remove(self) -> None:
        """Remove the directory and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep(runs: Path, keep: int = KEPT) -> list[Path]:
    """Remove what dead owners left below ``runs``, and failed runs beyond the newest ``keep``.

    Returns what was removed. A directory whose owner lives is not touched.
    """
    if not runs.is_dir():
        return []
    removed = []
    with _all_of(runs):
        ownerless = [path for path in _directories(runs) if not _is_owned(path)]
        failed = [path for path in ownerless if (path / _FAILED).exists()]
        spared = set(failed[-keep:] if keep > 0 else [])
        for path in ownerless:
            if path not in spared:
                _kill_survivor(path)
                shutil.rmtree(path, ignore_errors=True)
                removed.append(path)
    return removed


@contextmanager
def _all_of(runs: Path) -> Iterator[None]:
    with (runs / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _directories(runs: Path) -> list[Path]:
    """Oldest first; a stray file or a link that someone put there is none of ours."""
    return sorted(path for path in runs.iterdir() if path.is_dir() and not path.is_symlink())


def _is_owned(path: Path) -> bool:
    try:
        with (path / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _kill_survivor(path: Path) -> None:
    """Kill the QEMU of a dead owner, if there is one; see ``lab.machine.process`` why not.

    A pid alone proves nothing: the number may be another process's by now. So the process must
    also name this directory on its command line, and the signal goes through a pidfd taken before
    that look, which cannot come to mean another process.
    """
    try:
        pid = int((path / _PID).read_text())
        handle = os.pidfd_open(pid)
    except (OSError, ValueError):
        return
    try:
        if os.fsencode(path) in Path(f"/proc/{pid}/cmdline").read_bytes():
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            _await_end(handle, 2.0)
    except OSError:
        pass  # ended by itself in the meantime
    finally:
        os.close(handle)


def _await_end(handle: int, timeout: float) -> None:
    """Wait for the process behind a pidfd; it becomes readable when the process ends."""
    select.select([handle], [], [], timeout)
