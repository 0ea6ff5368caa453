# SPDX-License-Identifier: BSD-2-Clause
"""Small kernels for tests: the file formats of real ones, with recognisable content."""

from __future__ import annotations

import struct
from collections.abc import Sequence

BASE = 0x100_0000
TEXT = bytes(range(256)) * 32
DATA = b"data" * 64
ROOM = 0x6000
"""From the kernel's first byte to the end of its bss."""


def vmlinux(runs: Sequence[Sequence[int]] | None = None) -> bytes:
    """An ELF file of two segments; ``runs`` are the relocations: 64-bit, subtracted, 32-bit."""
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<QQ", head, 0x18, BASE + 0x40, 64)
    struct.pack_into("<HH", head, 0x36, 56, 3)
    at = 64 + 3 * 56
    table = [
        segment(1, at, BASE, len(TEXT), len(TEXT)),
        segment(1, at + len(TEXT), BASE + 0x4000, len(DATA), ROOM - 0x4000),
        segment(4, at, 0, 16, 16),
    ]
    file = bytes(head) + b"".join(table) + TEXT + DATA
    for run in runs or ():
        file += struct.pack(f"<{len(run) + 1}I", 0, *run)
    return file


def segment(kind: int, offset: int, address: int, size: int, room: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, 5, offset, 0, address, size, room, 4096)


def bzimage(room: int = 0x300_0000, entry_64: bool = True) -> bytes:
    """One sector of set-up code, then the protected-mode part, which is ``TEXT``."""
    file = bytearray(2 * 512)
    file[0x1F1] = 1
    file[0x201] = 0x66
    file[0x202:0x206] = b"HdrS"
    file[0x236] = int(entry_64)
    struct.pack_into("<QI", file, 0x258, BASE, room)
    return bytes(file) + TEXT
