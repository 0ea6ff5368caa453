# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.crash.kdump import MalformedDumpError, rearrange

HEADER = 4096
"""Bytes of a kdump file's own header; the pieces below lie behind it."""


def flattened(pieces: list[tuple[int, bytes]]) -> bytes:
    """As QEMU writes it: where each piece belongs, its length, the piece; -1 -1 at the end."""
    header = struct.pack(">16sqq", b"makedumpfile", 1, 1).ljust(4096, b"\0")
    records = [struct.pack(">qq", at, len(data)) + data for at, data in pieces]
    return header + b"".join(records) + struct.pack(">qq", -1, -1)


def rearranged(flat: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        source, target = Path(directory, "flat"), Path(directory, "vmcore")
        source.write_bytes(flat)
        rearrange(source, target)
        return target.read_bytes()


KDUMP = (0, b"KDUMP   " + bytes(HEADER - 8))


@given(st.permutations(range(6)), st.lists(st.binary(min_size=1, max_size=9), min_size=6))
def test_every_piece_lands_where_it_belongs(order: list[int], data: list[bytes]) -> None:
    pieces = [(HEADER + 10 * place, data[place]) for place in order]
    file = rearranged(flattened([KDUMP, *pieces]))
    assert file.startswith(b"KDUMP   ")
    for at, piece in pieces:
        assert file[at : at + len(piece)] == piece


def test_the_header_names_the_kernel_of_the_note() -> None:
    note = (HEADER, b"VMCOREINFO\0OSRELEASE=5.4.3-test\n\nOSRELEASE=6.1.0-9-amd64\nPAGESIZE=4096\n")
    file = rearranged(flattened([KDUMP, note]))
    names = [file[12 + 65 * field :][:65].rstrip(b"\0") for field in range(6)]
    assert names[0] == b"Linux"
    assert names[2] == b"6.1.0-9-amd64"
    assert names[4] == b"x86_64"
    assert all(names)


@given(st.integers(1, 4096 + 140))
def test_a_dump_that_is_cut_short_is_refused(missing: int) -> None:
    whole = flattened([(0, b"KDUMP   " + bytes(100))])
    assert len(whole) == 4096 + 140
    with pytest.raises(MalformedDumpError):
        rearranged(whole[:-missing])


@pytest.mark.parametrize("first", [(0, b"\x7fELF"), (0, b"")])
def test_what_is_no_kdump_is_refused(first: tuple[int, bytes]) -> None:
    with pytest.raises(MalformedDumpError, match="no kdump file"):
        rearranged(flattened([first]))


def test_another_header_is_refused() -> None:
    with pytest.raises(MalformedDumpError, match="another header"):
        rearranged(b"\0" * 5000)
