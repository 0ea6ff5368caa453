# SPDX-License-Identifier: BSD-2-Clause
"""The package files in the cache, each under its SHA-256, and how they come from a mirror.

apt's own downloader fetches them, so proxies, credentials and transports are those of the host's
apt. It needs no package index for that: the lock says where a file is and what must be in it, and
mirrors keep serving a file for a while after their index has gone on to the next version.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from lab.deadline import Deadline
from lab.image.contain import contained_here, require_programs, run_logged, tool_environment
from lab.image.failure import disk_is_full
from lab.image.lock import LockedPackage
from lab.image.store import FILL_SECONDS, full_disk

DOWNLOADER = "/usr/lib/apt/apt-helper"
OPTIONS = (
    "APT::Sandbox::User=root",  # the target directory is this user's; apt's own cannot write there
    "Acquire::Retries=2",
    "Acquire::http::Timeout=20",
    "Acquire::https::Timeout=20",
)
MEBIBYTE = 2**20


class Pool:
    """Package files below ``directory``. A file that is there is complete and has its hash."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, package: LockedPackage) -> Path:
        """Where the file of ``package`` is, or would be."""
        return self.directory / f"{package.sha256}.deb"

    def missing(self, packages: Iterable[LockedPackage]) -> tuple[LockedPackage, ...]:
        """Return those that are not here."""
        return tuple(package for package in packages if not self.path(package).is_file())

    def remove_damaged(self, packages: Iterable[LockedPackage]) -> None:
        """Remove files that have changed since they came; reads every byte of all of them."""
        for package in packages:
            path = self.path(package)
            if path.is_file() and sha256_of(path) != package.sha256:
                path.unlink()

    def fetch(
        self, packages: Sequence[LockedPackage], roots: Mapping[str, str], log: Path
    ) -> tuple[LockedPackage, ...]:
        """Fetch ``packages`` from the archives at ``roots``; return those that did not come.

        What the downloader says is in ``log``. One process at a time may do this.
        """
        require_programs(DOWNLOADER)
        scratch = self.directory / "partial"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        try:
            credentials = scratch / "netrc"
            credentials.touch(mode=0o600)
            triples: list[str] = []
            for package in packages:
                uri, login = without_login(
                    f"{roots.get(package.archive, '')}/{quote(package.path)}"
                )
                if login and login not in credentials.read_text():
                    credentials.write_text(credentials.read_text() + login)
                triples += [uri, str(scratch / package.sha256), f"SHA256:{package.sha256}"]
            options = [f"-o{option}" for option in OPTIONS]
            if credentials.stat().st_size:
                options.append(f"-oDir::Etc::netrc={credentials}")
            argv = [DOWNLOADER, *options, "download-file", *triples]
            run_logged(
                contained_here(argv),
                log,
                environment=tool_environment(),
                deadline=Deadline.after(FILL_SECONDS, "downloading packages"),
            )
            for package in packages:
                if (scratch / package.sha256).is_file():  # apt has checked its hash
                    (scratch / package.sha256).rename(self.path(package))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        absent = self.missing(packages)
        if absent and disk_is_full(log):
            raise full_disk(self.directory)
        return absent


def sha256_of(path: Path) -> str:
    """Hash a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def mebibytes(packages: Iterable[LockedPackage]) -> int:
    """Sum of the sizes, rounded."""
    return round(sum(package.size for package in packages) / MEBIBYTE)


def without_login(uri: str) -> tuple[str, str]:
    """Split user and password from a URI, as a line of apt's ``auth.conf``; empty if it has none.

    Command lines are public on a host; the file is not.
    """
    parts = urlsplit(uri)
    if parts.username is None:
        return uri, ""
    host = parts.netloc.rpartition("@")[2]
    user, password = unquote(parts.username), unquote(parts.password or "")
    # With the scheme: an entry without one is for https alone.
    login = f"machine {parts.scheme}://{host} login {user} password {password}\n"
    return urlunsplit(parts._replace(netloc=host)), login
