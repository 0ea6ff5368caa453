# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.machine.kernel import has_pvh_entry, unpack, unpacked_kernel


def note(name: bytes, kind: int, data: bytes) -> bytes:
    padded = data + bytes(-len(data) % 4)
    return struct.pack("<III", len(name), len(data), kind) + name + bytes(-len(name) % 4) + padded


PVH = note(b"Xen\0", 18, bytes(4))
OTHER = note(b"Linux\0", 18, b"abc") + note(b"Xen\0", 6, b"linux\0")


def elf(notes: bytes) -> bytes:
    """An ELF64 file with one loadable segment and one segment of notes."""
    head = bytearray(64)
    head[:6] = b"\x7fELF\x02\x01"
    struct.pack_into("<Q", head, 0x20, 64)
    struct.pack_into("<HH", head, 0x36, 56, 2)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 64, 64, 4096)
    notes_at = 64 + 2 * 56
    table = load + struct.pack("<IIQQQQQQ", 4, 4, notes_at, 0, 0, len(notes), len(notes), 4)
    return bytes(head) + table + notes


def bzimage(packed: bytes, version: int = 0x20F, sectors: int = 4, gap: int = 24) -> bytes:
    head = bytearray((sectors + 1) * 512 + gap)
    head[0x1F1] = sectors
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<H", head, 0x206, version)
    struct.pack_into("<II", head, 0x248, gap, len(packed))
    return bytes(head) + packed + b"the rest of the unpacker"


def xz(data: bytes) -> bytes:
    """As the kernel's build packs it: the size of the content behind the stream."""
    return lzma.compress(data, lzma.FORMAT_XZ) + struct.pack("<I", len(data))


@given(st.binary(max_size=500), st.integers(1, 30), st.integers(0, 100))
def test_what_was_packed_comes_out(data: bytes, sectors: int, gap: int) -> None:
    assert unpack(bzimage(xz(data), sectors=sectors, gap=gap)) == data
    packed = gzip.compress(data) + struct.pack("<I", len(data))
    assert unpack(bzimage(packed, sectors=sectors, gap=gap)) == data


@pytest.mark.parametrize(
    "image",
    [
        b"",
        bytes(4096),
        bzimage(xz(b"x"), version=0x207),
        bzimage(b"\x28\xb5\x2f\xfd zstd is not unpacked here"),
        bzimage(xz(b"x")[:6] + b"broken"),
        bzimage(b"\x1f\x8bbroken____"),
    ],
)
def test_anything_else_is_left_alone(image: bytes) -> None:
    assert unpack(image) is None


def test_the_pvh_note_is_found_wherever_it_is() -> None:
    assert has_pvh_entry(elf(PVH))
    assert has_pvh_entry(elf(OTHER + PVH + OTHER))
    assert not has_pvh_entry(elf(OTHER))
    assert not has_pvh_entry(elf(b""))


@given(st.binary(max_size=300))
def test_no_garbage_trips_it(data: bytes) -> None:
    assert not has_pvh_entry(data)
    has_pvh_entry(elf(PVH)[:64] + data)
    has_pvh_entry(elf(data))


@pytest.mark.parametrize("packed", [xz(elf(OTHER)), b"unknown"])
def test_a_kernel_that_cannot_be_started_directly_boots_as_it_is(
    tmp_path: Path, packed: bytes
) -> None:
    original = tmp_path / "vmlinuz"
    original.write_bytes(bzimage(packed))
    assert unpacked_kernel(original, tmp_path / "cache") == original
    assert not (tmp_path / "cache").exists()


def test_one_that_can_is_unpacked_once(tmp_path: Path) -> None:
    original = tmp_path / "vmlinuz"
    original.write_bytes(bzimage(xz(elf(PVH))))
    copy = unpacked_kernel(original, tmp_path / "cache")
    assert copy.read_bytes() == elf(PVH)
    copy.write_bytes(b"marked")
    assert unpacked_kernel(original, tmp_path / "cache").read_bytes() == b"marked"
    assert [path.name for path in copy.parent.iterdir()] == [copy.name]
