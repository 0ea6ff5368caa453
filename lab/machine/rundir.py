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

from lab.deadline import Deadline
from lab.lock import BRIEF_SECONDS, hold
from lab.machine.kernel import write_atomically
from lab.machine.monitor import MONITOR

KEPT = 20
"""How many directories of failed runs are kept; older ones are removed."""
KEPT_DUMPS = 5
"""How many of these keep their memory dump, which is a hundred times all the rest."""

CONSOLE = "console"
EVENTS = "events.jsonl"
FAILED = "failed"
PID = "pid"
RECORD = "record.json"
USER = "used-by"
VMCORE = "vmcore"
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
            # Whoever lists the machines holds each lock for an instant, to see if it is free.
            hold(lock, path / _LOCK, Deadline.after(BRIEF_SECONDS, "owning a new directory"))
        return cls(path, lock)

    @property
    def console(self) -> Path:
        """What the guest wrote to its serial port."""
        return self.path / CONSOLE

    @property
    def stderr(self) -> Path:
        """What QEMU itself said."""
        return self.path / "qemu.log"

    @property
    def events(self) -> Path:
        """What QEMU told of its own accord, a line of JSON each."""
        return self.path / EVENTS

    def write_start(self, pid: int, argv: Sequence[str], record: Mapping[str, object]) -> None:
        """Note the process, its command line (fit for a shell) and the facts of the run."""
        (self.path / PID).write_text(f"{pid}\n")
        (self.path / "argv").write_text(shlex.join(argv) + "\n")
        self.write_record(record)

    def write_record(self, record: Mapping[str, object]) -> None:
        """Note the facts of the run, again if more of them are known by now."""
        write_atomically(self.path / RECORD, (json.dumps(record, indent=2).encode(), b"\n"))

    def release(self, failure: str) -> None:
        """Give up ownership and leave the directory to be read; ``failure`` says why it is kept."""
        if self._lock.closed:
            return
        (self.path / FAILED).write_text(failure + "\n")
        (self.path / MONITOR).unlink(missing_ok=True)
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
        ownerless = [path for path in _directories(runs) if not is_owned(path)]
        failed = [path for path in ownerless if (path / FAILED).exists()]
        spared = set(failed[-keep:] if keep > 0 else [])
        for path in ownerless:
            if path not in spared:
                _kill_survivor(path)
                shutil.rmtree(path, ignore_errors=True)
                removed.append(path)
        for dump in [path / VMCORE for path in failed if (path / VMCORE).exists()][:-KEPT_DUMPS]:
            dump.unlink(missing_ok=True)
    return removed


@contextmanager
def _all_of(runs: Path) -> Iterator[None]:
    path = runs / ".lock"
    with path.open("w") as lock:
        hold(lock, path, Deadline.after(BRIEF_SECONDS, "clearing up after dead runs"))
        yield


def _directories(runs: Path) -> list[Path]:
    """Oldest first; a stray file or a link that someone put there is none of ours."""
    return sorted(path for path in runs.iterdir() if path.is_dir() and not path.is_symlink())


def is_owned(path: Path) -> bool:
    """Tell whether the process that made the directory still holds it."""
    try:
        with (path / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


@contextmanager
def process_of(path: Path) -> Iterator[int | None]:
    """Lend a pidfd of the process of the machine in ``path``; ``None`` if it has ended.

    A pid alone proves nothing: the number may be another process's by now. So the process must
    also name this directory on its command line, and a signal is to go through the pidfd, taken
    before that look, which cannot come to mean another process.
    """
    try:
        pid = int((path / PID).read_text())
        handle = os.pidfd_open(pid)
    except (OSError, ValueError):
        yield None
        return
    try:
        yield handle if _names(pid, path) else None
    finally:
        os.close(handle)


def end_process(handle: int, with_signal: signal.Signals, timeout: float) -> bool:
    """Send a signal through a pidfd; tell whether the process ended within ``timeout`` seconds."""
    try:
        signal.pidfd_send_signal(handle, with_signal)
    except ProcessLookupError:
        return True  # ended by itself in the meantime
    # A pidfd becomes readable when its process ends.
    return bool(select.select([handle], [], [], timeout)[0])


def _kill_survivor(path: Path) -> None:
    """Kill the machine of a dead owner, if it still runs; see ``lab.machine.process`` why not."""
    with process_of(path) as handle:
        if handle is not None:
            end_process(handle, signal.SIGKILL, 2.0)


def _names(pid: int, path: Path) -> bool:
    try:
        return os.fsencode(path) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
