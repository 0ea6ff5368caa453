# SPDX-License-Identifier: BSD-2-Clause
"""A package repository in one folder, made of exactly what a lock names.

A system is installed from it, and keeps a copy that its own apt reads: without a network, and every
time from the same packages.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from lab.errors import Status, die
from lab.image.lock import Lock, LockedPackage
from lab.image.pool import Pool
from lab.tool import run_tool

INDEX = "Packages"
LINES = """\
Codename: {release}
Suite: {release}
Date: Thu, 01 Jan 1970 00:00:00 UTC
Architectures: amd64
Components: main
SHA256:
 {digest} {size} Packages
"""
"""Not signed: nobody but the lab writes it, and each file in it has the hash that its lock says."""


def make_repository(directory: Path, lock: Lock, pool: Pool) -> None:
    """Fill ``directory``, which is made; its packages share the pool's storage if they can."""
    directory.mkdir(parents=True)
    index = "\n".join(_entry(directory, package, pool) for package in lock.packages)
    write_index(directory, lock.release, index)


def add_packages(directory: Path, release: str, files: Iterable[Path]) -> None:
    """Put more packages into a repository, newer versions of those in it too."""
    index = (directory / INDEX).read_text()
    for file in files:
        shutil.copy(file, directory / file.name)
        index += "\n" + described(directory / file.name, hashlib.sha256(file.read_bytes()))
    write_index(directory, release, index)


def write_index(directory: Path, release: str, index: str) -> None:
    """Write what apt reads of a repository."""
    (directory / INDEX).write_text(index)
    content = index.encode()
    digest = hashlib.sha256(content).hexdigest()
    text = LINES.format(release=release, digest=digest, size=len(content))
    (directory / "Release").write_text(text)


def _entry(directory: Path, package: LockedPackage, pool: Pool) -> str:
    file = directory / Path(package.path).name
    try:
        os.link(pool.path(package), file)
    except OSError:  # another file system
        shutil.copy(pool.path(package), file)
    return described(file, package.sha256)


def described(file: Path, digest: str | hashlib._Hash) -> str:
    """Return a package's paragraph of the index, with an empty line to come."""
    done = run_tool(["dpkg-deb", "--field", str(file)])
    if done.returncode != 0:
        die(f"{file} is no Debian package", f"rm {file}", status=Status.IMAGE, detail=done.stderr)
    hexadecimal = digest if isinstance(digest, str) else digest.hexdigest()
    fields = f"Filename: ./{file.name}\nSize: {file.stat().st_size}\nSHA256: {hexadecimal}\n"
    return done.stdout + fields
