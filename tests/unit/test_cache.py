# SPDX-License-Identifier: BSD-2-Clause
"""Pruning: what is old goes, what is used or locked stays, and use is noticed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from lab.cache.contents import DAY, REMOVABLE, entries, prune
from lab.config import Config
from lab.image.lock import Lock, LockedPackage
from lab.image.store import ensure_entry

HASHES = ("a" * 64, "b" * 64, "c" * 64)
RECENTLY, LONG_AGO = 1.0, 40.0
"""Days."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config(source=tmp_path, cache=tmp_path / "cache", runs=tmp_path / "runs")
    (tmp_path / "images").mkdir()
    for kind in REMOVABLE:
        (config.cache / kind).mkdir(parents=True)
    return config


def aged(path: Path, days: float) -> Path:
    then = time.time() - days * DAY
    os.utime(path, (then, then))
    return path


def directory(path: Path, days: float) -> Path:
    (path / "tree").mkdir(parents=True)
    (path / "tree/file").write_bytes(b"x" * 10000)
    return aged(path, days)


def file(path: Path, days: float) -> Path:
    path.write_bytes(b"x" * 10000)
    return aged(path, days)


def lock_of(path: Path, sha256: str, days: float = RECENTLY) -> Path:
    package = LockedPackage("make", "1", "amd64", "Debian", "pool/make.deb", 1, sha256)
    path.write_text(Lock("bookworm", (), (), (package,)).text())
    return aged(path, days)


def test_what_nobody_used_goes_and_the_rest_stays(config: Config) -> None:
    old = directory(config.cache / "images/old", LONG_AGO)
    new = directory(config.cache / "images/new", RECENTLY)
    kernels = config.cache / "kernels"
    old_file, new_file = file(kernels / "old", LONG_AGO), file(kernels / "new", RECENTLY)
    removed = prune(config, 30)
    assert [entry.path for entry in removed] == [old, old_file]
    assert all(entry.size >= 10000 for entry in removed)
    assert not old.exists()
    assert not old_file.exists()
    assert (new / "tree/file").exists()
    assert new_file.exists()
    assert sorted(path.name for path in old.parent.iterdir()) == ["new", "old.lock"]


def test_other_directories_are_never_touched(config: Config) -> None:
    (config.cache / "keys").mkdir()
    key = file(config.cache / "keys/client", LONG_AGO)
    assert prune(config, 30) == ()
    assert key.exists()


def test_what_a_killed_build_left_goes(config: Config) -> None:
    left = directory(config.cache / "packages/x.partial", LONG_AGO)
    assert [entry.path for entry in prune(config, 30)] == [left]
    assert not left.exists()


def test_using_an_entry_makes_it_young(config: Config) -> None:
    entry = directory(config.cache / "images/x", LONG_AGO)
    ensure_entry(entry, lambda _partial: None, lambda _note: None)
    assert prune(config, 30) == ()


def test_locked_packages_are_kept_whatever_their_age(config: Config) -> None:
    debs = config.cache / "debs"
    files = [file(debs / f"{sha256}.deb", LONG_AGO) for sha256 in HASHES]
    lock_of(config.source / "images/x.lock", HASHES[0], LONG_AGO)
    lock_of(config.cache / "locks/x-1.lock", HASHES[1])
    assert [entry.path for entry in prune(config, 30)] == [files[2]]


def test_forgotten_lock_of_the_cache_keeps_nothing(config: Config) -> None:
    deb = file(config.cache / "debs" / f"{HASHES[0]}.deb", LONG_AGO)
    lock = lock_of(config.cache / "locks/x-1.lock", HASHES[0], LONG_AGO)
    assert [entry.path for entry in prune(config, 30)] == [lock, deb]


def test_locks_that_builders_wait_on_are_no_entries(config: Config) -> None:
    file(config.cache / "images/x.lock", LONG_AGO)
    assert entries(config, "images") == ()
