# SPDX-License-Identifier: BSD-2-Clause
"""A writer for small cpio archives in the kernel's initramfs format ("newc").

The kernel unpacks archives that follow one another in the initramfs, so the lab gives each guest
its keys by appending a second archive and never rebuilds the first. Written here rather than by
the ``cpio`` program: the members exist only in memory, and a private key has no business in a
temporary file.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

ALIGNMENT = 4
"""Headers and data start at multiples of this; so must an archive that follows another."""


@dataclass(frozen=True)
class Member:
    """A file or directory of the archive, owned by root, dated 1970 (same bytes every time)."""

    path: str
    """Relative, without a leading ``./``."""
    mode: int
    """Type and permission bits, as in ``stat.S_IFREG | 0o600``."""
    data: bytes = b""


def directory(path: str, permissions: int = 0o755) -> Member:
    """Make a directory; it must come before what is in it."""
    return Member(path, stat.S_IFDIR | permissions)


def regular(path: str, data: bytes, permissions: int = 0o644) -> Member:
    """Make a regular file."""
    return Member(path, stat.S_IFREG | permissions, data)


def archive(members: Iterable[Member]) -> bytes:
    """Write the members and a trailer. Same members, same bytes."""
    written = [_entry(number, member) for number, member in enumerate(members, start=1)]
    return b"".join(written) + _entry(0, Member("TRAILER!!!", 0))


def padding(size: int) -> bytes:
    """Zero bytes that bring ``size`` to the alignment; the kernel skips zeros between archives."""
    return bytes(-size % ALIGNMENT)


def _entry(inode: int, member: Member) -> bytes:
    name = member.path.encode() + b"\0"
    # inode, mode, uid, gid, links, mtime, size, device (4 words), name size, checksum
    fields = (inode, member.mode, 0, 0, 1, 0, len(member.data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + padding(len(head)) + member.data + padding(len(member.data))
