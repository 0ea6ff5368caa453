# SPDX-License-Identifier: BSD-2-Clause
"""The entries of the cache, when each was last used, and the removal of those that are too old.

Everything in the cache can be made again, but package files only as long as a mirror has them:
those that a lock names are kept, whatever their age. An entry is removed as it is made: under its
lock, and under another name, so that a reader finds all of it or nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.config import Config
from lab.image.lock import read_lock
from lab.image.store import exclusive, remove_tree
from lab.system.spec import DIRECTORY as SYSTEMS

REMOVABLE = (
    *("artefacts", "debs", "disks", "images", "kernels", "locks", "packages"),
    *("packages-built", "seeded", "systems"),
)
"""Directories of the cache whose entries are named by their content."""
PARTIAL = ".partial"
LOCK = ".lock"
DAY = 86400.0
"""Seconds."""


@dataclass(frozen=True)
class Entry:
    """One thing that is kept or removed as a whole."""

    path: Path
    size: int
    """Bytes on the disk."""
    idle: float
    """Seconds since it was last used."""
    named: bool
    """Whether a lock names it, so that an offline build may need it."""


def entries(config: Config, kind: str) -> tuple[Entry, ...]:
    """List what is in one of the ``REMOVABLE`` directories, by name."""
    now, locked = time.time(), set(_locked_packages(config)) if kind == "debs" else set()
    directory = config.cache / kind
    if not directory.is_dir():
        return ()
    return tuple(
        Entry(path, size_of(path), now - _last_use(path), path.stem in locked)
        for path in sorted(directory.iterdir())
        # A lock under ``locks`` is an entry; elsewhere such files are what builders wait on.
        if kind == "locks" or path.suffix != LOCK
    )


def prune(config: Config, days: float) -> tuple[Entry, ...]:
    """Remove what nobody used for ``days`` and no lock names; return what was removed."""
    removed = []
    # "locks" first: what only a forgotten one of them names is then no longer named.
    for kind in sorted(REMOVABLE, key=lambda kind: kind != "locks"):
        for entry in entries(config, kind):
            if entry.idle > days * DAY and not entry.named:
                _remove(entry.path)
                removed.append(entry)
    return tuple(removed)


def size_of(path: Path) -> int:
    """Bytes on the disk below ``path``; links are not followed."""
    found = [path, *path.rglob("*")] if path.is_dir() and not path.is_symlink() else [path]
    return sum(one.lstat().st_blocks * 512 for one in found)


def _last_use(path: Path) -> float:
    """Builders touch a directory that they find; of a file, the kernel notes when it was read."""
    status = path.stat()
    return status.st_mtime if path.is_dir() else max(status.st_mtime, status.st_atime)


def _locked_packages(config: Config) -> Iterator[str]:
    """SHA-256 of every package that a lock of the checkout or of the cache names."""
    images = config.source / "images"
    for directory in (images, images / SYSTEMS, config.cache / "locks"):
        for path in directory.glob(f"*{LOCK}"):
            lock = read_lock(path)
            if lock is not None:
                yield from (package.sha256 for package in lock.packages)


def _remove(path: Path) -> None:
    if path.is_file():
        path.unlink(missing_ok=True)
        return
    name = path.name.removesuffix(PARTIAL)
    with exclusive(path.with_name(name), lambda _note: None):
        partial = path.with_name(f"{name}{PARTIAL}")
        if path != partial:
            remove_tree(partial)
            path.rename(partial)
        remove_tree(partial)
