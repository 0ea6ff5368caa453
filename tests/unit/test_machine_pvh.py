# SPDX-License-Identifier: BSD-2-Clause
"""A small ELF kernel, made here, placed in memory."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from lab.machine.kernel import has_pvh_entry
from lab.machine.memory import Memory
from lab.machine.pvh import entry_stub, place_kernel

SIZE = 8 << 20
NOTE = struct.pack("<III", 4, 4, 18) + b"Xen\0" + struct.pack("<I", 0x100040)


def kernel(physical: int = 0x100000) -> bytes:
    """Code at 1 MiB and data behind it, with a tail that is in memory only."""
    code, data = b"\x90" * 100, b"data" * 10
    at = 64 + 3 * 56
    header = struct.pack(
        *("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 62, 1, physical, 64, 999, 0),
        *(64, 56, 3, 64, 7, 3),
    )

    def segment(kind: int, offset: int, address: int, size: int, in_memory: int) -> bytes:
        high = address + 0xFFFFFFFF80000000
        return struct.pack("<IIQQQQQQ", kind, 5, offset, high, address, size, in_memory, 4)

    table = segment(1, at, physical, len(code), len(code))
    table += segment(1, at + 100, physical + 0x1000, len(data), 4 * len(data))
    table += segment(4, at + 140, 0, len(NOTE), len(NOTE))
    return header + table + code + data + NOTE


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinux"
    path.write_bytes(kernel())
    return path


def test_each_segment_lies_where_it_runs(image: Path, tmp_path: Path) -> None:
    memory = Memory("test", SIZE)
    stub = tmp_path / "entry.elf"
    assert place_kernel(image, memory, stub) == stub
    expected = bytearray(SIZE)
    expected[0x100000:0x100064] = b"\x90" * 100
    expected[0x101000:0x101028] = b"data" * 10
    assert os.pread(memory.fd, SIZE, 0) == bytes(expected)
    memory.close()


def test_the_stub_says_where_to_start_and_brings_nothing_else() -> None:
    stub = entry_stub(kernel())
    assert has_pvh_entry(stub)
    assert NOTE in stub
    assert b"data" not in stub
    assert b"\x90" not in stub
    header = struct.unpack_from("<16sHHIQQQIHHHHHH", stub)
    assert (header[4], header[5], header[6], header[10], header[12]) == (0x100000, 64, 0, 3, 0)
    loads = [
        struct.unpack_from("<IIQQQQQQ", stub, 64 + 56 * index)
        for index in range(3)
        if stub[64 + 56 * index] == 1
    ]
    assert [(load[4], load[5], load[6]) for load in loads] == [(0x100000, 0, 0), (0x101000, 0, 0)]


def test_no_bzimage_magic_is_seen_behind_the_stub() -> None:
    assert len(entry_stub(kernel())) >= 0x206


@pytest.mark.parametrize("content", [b"MZ a bzImage", b"", None])
def test_other_kernels_are_left_to_qemu(tmp_path: Path, content: bytes | None) -> None:
    memory = Memory("test", SIZE)
    path = tmp_path / "bzImage"
    if content is not None:
        path.write_bytes(content)
    assert place_kernel(path, memory, tmp_path / "entry.elf") == path
    assert memory.keep().pieces == ()
    memory.close()


def test_a_kernel_beyond_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "vmlinux"
    path.write_bytes(kernel(physical=SIZE - 10))
    memory = Memory("test", SIZE)
    with pytest.raises((ValueError, IndexError)):
        place_kernel(path, memory, tmp_path / "entry.elf")
    memory.close()
