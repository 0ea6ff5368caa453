# SPDX-License-Identifier: BSD-2-Clause
"""What differs between two states of an image's packages, package by package."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.image.lock import SOURCE, Lock, LockedPackage


@dataclass(frozen=True)
class Change:
    """One package in two states; None where it is in only one of them."""

    locked: LockedPackage | None
    available: LockedPackage | None

    def __str__(self) -> str:
        """One line, as in ``gcc-12: 12.2.0-14 -> 12.2.0-15``."""
        if self.locked is None:
            assert self.available is not None
            return f"{self.available.name}: not locked -> {self.available.version}"
        name, version = self.locked.name, self.locked.version
        if self.available is None:
            return f"{name}: {version} -> not needed any more, or not there"
        if self.available.version == version:
            before, after = self.locked.sha256[:12], self.available.sha256[:12]
            return f"{name}: {version} has other content: SHA-256 {before} -> {after}"
        return f"{name}: {version} -> {self.available.version}"


def changes(locked: Lock, available: Lock) -> tuple[Change, ...]:
    """Return what must change in ``locked`` to become ``available``, sorted by name."""
    old = {(p.name, p.architecture == SOURCE): p for p in locked.packages}
    new = {(p.name, p.architecture == SOURCE): p for p in available.packages}
    return tuple(
        Change(old.get(name), new.get(name))
        for name in sorted(old.keys() | new.keys())
        if name not in old or name not in new or old[name].sha256 != new[name].sha256
    )


def listed(lines: Iterable[object]) -> str:
    """Join for an error's detail, one a line."""
    return "\n".join(f"  {line}" for line in lines)
