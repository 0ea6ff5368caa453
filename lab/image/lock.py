# SPDX-License-Identifier: BSD-2-Clause
"""Lock files: ``images/<name>.lock`` says exactly which packages an image is made from.

Nothing in one depends on a mirror: a package is a path below the root of an archive, which every
mirror of that archive has, and a SHA-256, which decides whether what came is what was meant. The
file is JSON with one package a line, so that a diff of two states reads as a list of updates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, NoReturn, Protocol

from lab.errors import Status, die

SOURCE = "source"
"""The architecture of a tarball of sources."""
SHA256 = re.compile(r"[0-9a-f]{64}")


class Wanted(Protocol):
    """What somebody wants of Debian's archives: a guest image, or an installed system."""

    @property
    def name(self) -> str:
        """Of the definition, ``images/NAME.yaml``; may have a folder in it."""

    @property
    def release(self) -> str:
        """Debian's code name."""

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages by name; what they depend on comes with them."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Source packages."""

    @property
    def requested(self) -> tuple[str, ...]:
        """Both, as a lock notes them."""


def label(wanted: Wanted) -> str:
    """Return its name as a file's, for what the cache keeps of it."""
    return wanted.name.replace("/", "-")


@dataclass(frozen=True)
class LockedPackage:
    """One ``.deb`` or tarball of sources: its name, where mirrors keep it, and what is in it."""

    name: str
    version: str
    architecture: str
    archive: str
    """The archive's label: ``Debian`` or ``Debian-Security``; each has mirrors of its own."""
    path: str
    """Below the archive's root, as in ``pool/main/m/make-dfsg/make_4.3-4.1_amd64.deb``."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True)
class Lock:
    """All packages of an image, sorted by name: those asked for and those they depend on."""

    release: str
    requested: tuple[str, ...]
    """What the definition asked for when the lock was made."""
    resolved: tuple[tuple[str, str], ...]
    """(suite, date of its Release file) pairs: the state of the archives it was resolved from."""
    packages: tuple[LockedPackage, ...]

    def fits(self, spec: Wanted) -> bool:
        """Whether it was made for this definition; what that drops or copies is another matter."""
        return (self.release, self.requested) == (spec.release, spec.requested)

    def canonical(self) -> bytes:
        """Serialise for hashing: only what decides which bytes are unpacked."""
        return json.dumps([(p.name, p.sha256) for p in self.packages]).encode()

    def text(self) -> str:
        """Write the lock file."""
        head = {
            "about": "written by `dbos-lab image lock`; review its diff like any other source",
            "release": self.release,
            "requested": self.requested,
            "resolved": dict(self.resolved),
        }
        lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
        packages = ",\n".join(f"  {json.dumps(asdict(package))}" for package in self.packages)
        return "{\n" + ",\n".join([*lines, f' "packages": [\n{packages}\n ]']) + "\n}\n"


def lock_path(source: Path, name: str) -> Path:
    """Where the checkout keeps the lock of image ``name``."""
    return source / "images" / f"{name}.lock"


def read_lock(path: Path) -> Lock | None:
    """Read a lock file; None if there is none. A damaged one is a USAGE error."""
    try:
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        _damaged(path, " ".join(f"{type(error).__name__}: {error}".split()))


def _damaged(path: Path, why: str) -> NoReturn:
    folder = "systems/" if path.parent.name == "systems" else ""
    die(
        f"the lock file {path} is damaged ({why})",
        f"git checkout {path.name}, or: dbos-lab image lock --image {folder}{path.stem}",
        status=Status.USAGE,
    )


def _parse(document: Mapping[str, Any]) -> Lock:
    packages = tuple(_package(entry) for entry in document["packages"])
    if not packages:
        raise ValueError("it lists no package")
    return Lock(
        release=str(document["release"]),
        requested=tuple(map(str, document["requested"])),
        resolved=tuple((str(suite), str(date)) for suite, date in document["resolved"].items()),
        packages=packages,
    )


def _package(entry: Mapping[str, Any]) -> LockedPackage:
    package = LockedPackage(**{field.name: entry[field.name] for field in fields(LockedPackage)})
    if not isinstance(package.size, int) or not SHA256.fullmatch(package.sha256):
        raise ValueError(f"the size or the SHA-256 of {package.name} is none")
    return package
