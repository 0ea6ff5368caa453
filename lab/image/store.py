# SPDX-License-Identifier: BSD-2-Clause
"""Cache entries that are either complete or absent.

An entry is a directory. It is filled under another name beside its place and renamed when done, so
a reader who finds it finds all of it. A lock keeps a second process from filling the same entry;
it waits and finds the first one's work. Whatever a killed process left is under the partial name
and is removed by the next one that gets the lock.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from lab.deadline import Deadline
from lab.errors import Status, die
from lab.lock import hold

Report = Callable[[str], None]
"""Takes a short note on what is being done."""
REMOVAL_ATTEMPTS = 10
FILL_SECONDS = 3600.0
"""How long filling an entry may take: a slow mirror, a slow disk. More means that it hangs."""


def content_key(parts: Iterable[bytes]) -> str:
    """Hash ``parts`` so that moving a byte from one part to the next changes the key."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()[:16]


def ensure_entry(entry: Path, fill: Callable[[Path], None], report: Report) -> None:
    """Make sure that the directory ``entry`` exists; ``fill`` writes into the path it is given."""
    if entry.is_dir():
        with suppress(OSError):  # a cache that is only read has nothing to prune
            os.utime(entry)  # when it was last used
        return
    with exclusive(entry, report):
        if entry.is_dir():
            return
        partial = entry.with_name(f"{entry.name}.partial")
        remove_tree(partial)
        partial.mkdir()
        try:
            fill(partial)
            partial.rename(entry)
        finally:
            remove_tree(partial)


@contextmanager
def exclusive(place: Path, report: Report) -> Iterator[None]:
    """Be the only process that works on ``place``, whose parent directory is made.

    Errors of the disk in the block end as sentences.
    """
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _unwritable(place.parent, error)
    with _disk_errors(place), _locked(place.with_name(f"{place.name}.lock"), report):
        yield


def remove_tree(path: Path) -> None:
    """Remove a directory tree if it is there, directories without write permission included.

    A namespace that was just killed takes a moment to die, and may create a file meanwhile: so a
    few attempts.
    """
    for attempt in range(REMOVAL_ATTEMPTS):
        if not path.is_dir():
            return
        try:
            for parent, _, _ in os.walk(path):
                Path(parent).chmod(0o700)
            shutil.rmtree(path)
        except OSError:
            if attempt == REMOVAL_ATTEMPTS - 1:
                raise
            time.sleep(0.1)


@contextmanager
def _locked(lock: Path, report: Report) -> Iterator[None]:
    # The lock file stays: removing it would let two processes lock two files of one name.
    with lock.open("a") as handle:
        deadline = Deadline.after(FILL_SECONDS, "another process that builds the same")
        hold(handle, lock, deadline, lambda: report(f"waiting for {deadline.what}"))
        yield


def full_disk(path: Path) -> OSError:
    """Make the error for a disk that a child process found full, as if this process had."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


@contextmanager
def _disk_errors(entry: Path) -> Iterator[None]:
    """Turn the two failures a user can cure into sentences: a full disk, a foreign directory."""
    where = entry.parent
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            die(
                f"the disk is full: {shutil.disk_usage(where).free // 2**20} MiB free for {where}",
                f"free 2 GiB there (`rm -r {where}` is safe), or set DBOS_LAB_CACHE to a place "
                "with more room",
                status=Status.IMAGE,
            )
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            _unwritable(where, error)
        raise


def _unwritable(where: Path, error: OSError) -> NoReturn:
    die(
        f"the cache cannot be written: {error.filename or where}: {error.strerror}",
        f"check who owns {where}, or set DBOS_LAB_CACHE to another directory",
        status=Status.IMAGE,
    )
