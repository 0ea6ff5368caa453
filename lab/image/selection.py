# SPDX-License-Identifier: BSD-2-Clause
"""Which lock an image is built from, and its package files brought into the cache.

The checkout's lock is used wherever its packages can be had: from the cache, or from a mirror.
Mirrors drop a version some time after they got the next one, so the lock of a checkout that is not
maintained stops working one day through nobody's fault. A newcomer's first build must not fail for
that: by default the packages are then resolved anew, once, and the result is remembered in the
cache as the *substitute* of this very lock. ``--locked`` refuses instead, package by package.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from lab.config import Config
from lab.errors import LabError, Status, die
from lab.image.contain import tail
from lab.image.drift import Change, changes, listed
from lab.image.lock import Lock, LockedPackage, Wanted, label, lock_path, read_lock
from lab.image.pool import Pool, mebibytes
from lab.image.resolve import Resolution, resolve
from lab.image.store import Report, content_key, exclusive


def pool_of(config: Config) -> Pool:
    """Return the package files that all images share."""
    return Pool(config.cache / "debs")


def chosen_lock(config: Config, spec: Wanted, *, locked: bool) -> Lock | None:
    """Return the lock to build from; None if the packages have to be resolved first.

    ``locked``: the checkout's lock and no other; die if there is none that fits the definition.
    """
    path = lock_path(config.source, spec.name)
    committed = read_lock(path)
    fits = committed is not None and committed.fits(spec)
    if locked and not fits:
        why = "was made for other packages or another release" if committed else "does not exist"
        die(f"{path} {why}", f"dbos-lab image lock --image {spec.name}", status=Status.USAGE)
    if locked:
        return committed
    return read_lock(_substitute(config, spec)) or (committed if fits else None)


def is_committed(config: Config, spec: Wanted, lock: Lock) -> bool:
    """Whether ``lock`` names the same packages as the checkout's."""
    committed = read_lock(lock_path(config.source, spec.name))
    return committed is not None and committed.canonical() == lock.canonical()


def obtain(config: Config, spec: Wanted, report: Report, *, locked: bool) -> Lock:
    """Choose the lock and bring all its packages into the pool; ``locked``: no other than ours."""
    pool = pool_of(config)
    with exclusive(pool.directory, report):
        lock = chosen_lock(config, spec, locked=locked)
        resolution = None
        if lock is None:
            resolution = _resolve(config, spec, report)
            lock = _use_instead(config, spec, resolution, report)
        pool.remove_damaged(lock.packages)
        absent = pool.missing(lock.packages)
        if not absent:
            return lock
        resolution = resolution or _resolve_for(absent, config, spec, report)
        refused = _fetch(config, spec, absent, resolution, report)
        gone = [c for c in changes(lock, resolution.lock) if c.locked in refused]
        if len(gone) < len(refused):
            _unreachable(config, spec, refused)
        if gone and locked:
            _drifted(config, spec, lock, resolution, gone)
        if gone:
            lock = _use_instead(config, spec, resolution, report)
            absent = pool.missing(lock.packages)
            if absent and _fetch(config, spec, absent, resolution, report):
                _unreachable(config, spec, absent)
        return lock


def refresh(config: Config, spec: Wanted, report: Report) -> tuple[Change, ...]:
    """Write the checkout's lock from what the mirror has today; return what that changed.

    A lock that is damaged counts as none: to write it anew is how one gets out of that.
    """
    path = lock_path(config.source, spec.name)
    before = None
    with suppress(LabError):
        before = read_lock(path)
    with exclusive(pool_of(config).directory, report):
        lock = _resolve(config, spec, report).lock
        path.write_text(lock.text(), encoding="utf-8")
    return changes(before or Lock(spec.release, (), (), ()), lock)


def _substitute(config: Config, spec: Wanted) -> Path:
    """Where the cache keeps what stands in for the checkout's lock, whatever state that is in."""
    path = lock_path(config.source, spec.name)
    committed = path.read_bytes() if path.is_file() else b""
    asked_for = [spec.release.encode(), *(name.encode() for name in spec.requested)]
    return config.cache / "locks" / f"{label(spec)}-{content_key([committed, *asked_for])}.lock"


def _use_instead(config: Config, spec: Wanted, resolution: Resolution, report: Report) -> Lock:
    path = _substitute(config, spec)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    partial.write_text(resolution.lock.text(), encoding="utf-8")
    partial.rename(path)
    report(f"not the packages of images/{spec.name}.lock, but what the mirror has today")
    return resolution.lock


def _resolve(config: Config, spec: Wanted, report: Report) -> Resolution:
    log = config.cache / "logs" / f"resolve-{label(spec)}.log"
    return resolve(spec, config.cache / "resolve.partial", log, report)


def _resolve_for(
    absent: Sequence[LockedPackage], config: Config, spec: Wanted, report: Report
) -> Resolution:
    """Resolve because ``absent`` are needed; a failure must say which they are."""
    try:
        return _resolve(config, spec, report)
    except LabError as error:
        raise LabError(
            f"{len(absent)} packages of {spec.name} are not in the cache, and {error.message}",
            error.hint,
            status=error.status,
            detail=f"not in {pool_of(config).directory}:\n{_named(absent)}\n{error.detail}",
        ) from error


def _fetch(
    config: Config,
    spec: Wanted,
    packages: Sequence[LockedPackage],
    resolution: Resolution,
    report: Report,
) -> tuple[LockedPackage, ...]:
    report(f"downloading {len(packages)} packages, {mebibytes(packages)} MiB")
    return pool_of(config).fetch(packages, resolution.roots, _fetch_log(config, spec))


def _fetch_log(config: Config, spec: Wanted) -> Path:
    return config.cache / "logs" / f"fetch-{label(spec)}.log"


def _drifted(
    config: Config, spec: Wanted, lock: Lock, resolution: Resolution, gone: Sequence[Change]
) -> NoReturn:
    new = [change for change in changes(lock, resolution.lock) if change.locked is None]
    path = lock_path(config.source, spec.name)
    die(
        f"the mirror no longer has {len(gone)} packages of {path}",
        f"dbos-lab image lock --image {spec.name}  # adopts what it has; then review `git diff`",
        status=Status.IMAGE,
        detail=f"locked -> available:\n{listed([*gone, *new])}",
    )


def _unreachable(config: Config, spec: Wanted, absent: Sequence[LockedPackage]) -> NoReturn:
    log = _fetch_log(config, spec)
    die(
        f"{len(absent)} packages of {spec.name} could not be downloaded, though the mirror "
        "lists them",
        f"check the network, then run the same command again; read {log}",
        status=Status.IMAGE,
        detail=f"{_named(absent)}\n{tail(log)}",
    )


def _named(packages: Sequence[LockedPackage]) -> str:
    return listed(f"{p.name} {p.version} (SHA-256 {p.sha256})" for p in packages)
