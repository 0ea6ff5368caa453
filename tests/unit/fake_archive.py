# SPDX-License-Identifier: BSD-2-Clause
"""A Debian archive of a few tiny packages, real enough for apt."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.image.mirror import Mirror

RELEASE = "bookworm"
DATE = "Sat, 11 Jul 2026 10:16:37 UTC"


class FakeArchive:
    """Below ``root``: package files, and an index of those that were published last."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._stanzas: dict[str, str] = {}

    @property
    def mirror(self) -> Mirror:
        """As ``lab.image.mirror`` would have found it."""
        return Mirror((f"deb [trusted=yes] copy:{self.root} {RELEASE} main",), ())

    def publish(self, name: str, version: str, files: Mapping[str, str], depends: str = "") -> Path:
        """Add a package, or replace it in the index by another version; return its file."""
        content = self.root / "content" / f"{name}-{version}"
        for path, text in files.items():
            (content / path).parent.mkdir(parents=True, exist_ok=True)
            (content / path).write_text(text)
        control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
        control += f"Maintainer: nobody <nobody@example.org>\nDescription: {name}\n"
        control += f"Depends: {depends}\n" if depends else ""
        (content / "DEBIAN").mkdir(exist_ok=True)
        (content / "DEBIAN/control").write_text(control)
        path = f"pool/main/{name}/{name}_{version}_all.deb"
        package = self.root / path
        package.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "--build", content, package],
            check=True,
            capture_output=True,
        )
        data = package.read_bytes()
        self._stanzas[name] = (
            f"{control}Filename: {path}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
        self._write_index()
        return package

    def _write_index(self) -> None:
        index = "\n".join(self._stanzas.values()).encode()
        name = "main/binary-amd64/Packages"
        suite = self.root / "dists" / RELEASE
        (suite / name).parent.mkdir(parents=True, exist_ok=True)
        (suite / name).write_bytes(index)
        (suite / "Release").write_text(
            f"Origin: Debian\nLabel: Debian\nCodename: {RELEASE}\nDate: {DATE}\n"
            f"Architectures: amd64\nComponents: main\n"
            f"SHA256:\n {hashlib.sha256(index).hexdigest()} {len(index)} {name}\n"
        )
