# SPDX-License-Identifier: BSD-2-Clause
"""Memory that a machine and the lab share: what is in it can be kept, and put back in a blink.

QEMU's own snapshots copy a guest's RAM through 32 KiB buffers and a pool of threads. For a guest of
1 GiB that takes 0.3 s on an idle host and any time on a busy one, for the threads hand over to each
other three thousand times. RAM that lies in a memfd can be copied by the lab instead, at the speed
of memory; and nothing of it is ever written to a disk.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass

_PAGE = mmap.PAGESIZE
_ZERO = bytes(_PAGE)
_SPAN = 16 * _PAGE
"""Bytes; content that lies closer together than this is kept as one piece, zeros included."""


@dataclass(frozen=True)
class Contents:
    """What a memory held at some time: the pieces that were not zero, by offset, in order."""

    pieces: tuple[tuple[int, bytes], ...]

    @property
    def size(self) -> int:
        """Bytes this takes."""
        return sum(len(data) for _, data in self.pieces)


class Memory:
    """A memfd of ``size`` bytes, all zero at first, mapped here and in the QEMU that inherits it.

    ``keep`` and ``put_back`` are for when the other side holds still: a machine that is stopped.
    """

    def __init__(self, name: str, size: int) -> None:
        self.size = size
        self.fd = os.memfd_create(name)
        os.truncate(self.fd, size)
        self._map = mmap.mmap(self.fd, size)

    @property
    def path(self) -> str:
        """Where a process that inherited the descriptor finds it."""
        return f"/proc/self/fd/{self.fd}"

    def write(self, offset: int, data: bytes | memoryview) -> None:
        """Put ``data`` at ``offset``; ``ValueError`` or ``IndexError`` if it does not fit there."""
        self._map[offset : offset + len(data)] = data

    def keep(self) -> Contents:
        """Copy what is in it."""
        return Contents(
            tuple((start, self._map[start:end]) for start, end in _joined(self._used_pages()))
        )

    def put_back(self, contents: Contents) -> None:
        """Make the memory what it was when ``contents`` was kept: same bytes, same zeros."""
        empty_from = 0
        for offset, data in contents.pieces:
            self._clear(empty_from, offset)
            self._map[offset : offset + len(data)] = data
            empty_from = offset + len(data)
        self._clear(empty_from, self.size)

    def close(self) -> None:
        """Give up the memory here; a QEMU that still runs keeps its own hold on it."""
        self._map.close()
        os.close(self.fd)

    def _clear(self, start: int, end: int) -> None:
        # Pages that nobody has touched cost nothing: only those in use are looked at and freed.
        if end > start:
            self._map.madvise(mmap.MADV_REMOVE, start, end - start)

    def _used_pages(self) -> Iterator[int]:
        """Yield the offsets of all pages that are not zero."""
        end = 0
        while True:
            try:
                start = os.lseek(self.fd, end, os.SEEK_DATA)
            except OSError:  # ENXIO: none after this
                return
            end = os.lseek(self.fd, start, os.SEEK_HOLE)
            for page in range(start, end, _PAGE):
                if self._map[page : page + _PAGE] != _ZERO:
                    yield page


def _joined(pages: Iterator[int]) -> Iterator[tuple[int, int]]:
    """Join pages that lie close together to pieces, each from its start to its end."""
    start = end = -_SPAN
    for page in pages:
        if page - end >= _SPAN:
            if start >= 0:
                yield start, end
            start = page
        end = page + _PAGE
    if start >= 0:
        yield start, end
