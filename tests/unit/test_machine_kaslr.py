# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_file import BASE, vmlinux

from lab.machine.kaslr import (
    ALIGNMENT,
    VIRTUAL_SIZE,
    Relocations,
    choose_placement,
    read_relocations,
    relocate,
)

LOW = 0x8000_0000 + BASE
"""The lower half of the virtual address of the kernel's first byte."""
PLACES = st.lists(st.integers(LOW, 0xFFFF_FFFF), min_size=1, max_size=20)


@given(PLACES, st.lists(st.integers(LOW, 0xFFFF_FFFF), max_size=5), PLACES)
def test_the_table_is_read_as_it_was_written(
    add64: list[int], subtract32: list[int], add32: list[int]
) -> None:
    found = read_relocations(vmlinux((add64, subtract32, add32)))
    assert found == Relocations(tuple(add64), tuple(subtract32), tuple(add32))


@pytest.mark.parametrize(
    "file",
    [
        b"",
        vmlinux(),
        vmlinux(([], [], [])),
        vmlinux(([LOW], [], [])),
        vmlinux(([LOW],)),
        vmlinux(([LOW, 7], [LOW])),
    ],
    ids=["empty", "no table", "empty table", "one run filled", "one run", "no place"],
)
def test_what_is_no_table_is_not_taken_for_one(file: bytes) -> None:
    assert read_relocations(file) is None


def test_each_kind_of_place_changes_in_its_own_way() -> None:
    memory = bytearray(struct.pack("<QII", 0xFFFF_FFFF_8100_0000, 5, 0x8100_0040) + b"tail")
    relocate(memory, BASE, Relocations((LOW,), (LOW + 8,), (LOW + 12,)), 0x20_0000)
    changed = 0xFFFF_FFFF_8120_0000, (5 - 0x20_0000) & 0xFFFF_FFFF, 0x8120_0040
    assert memory == struct.pack("<QII", *changed) + b"tail"


@pytest.mark.parametrize("place", [LOW - 1, LOW + 57, 0xFFFF_FFFF])
def test_a_place_outside_of_the_kernel_is_an_error(place: int) -> None:
    with pytest.raises(ValueError, match="outside"):
        relocate(bytearray(64), BASE, Relocations((place,), (), ()), ALIGNMENT)


@given(st.integers(), st.integers(1, 0x600_0000))
def test_a_placement_is_aligned_and_has_room(seed: int, size: int) -> None:
    ceiling = 0x800_0000
    placement = choose_placement(seed, BASE, size, ceiling)
    assert placement == choose_placement(seed, BASE, size, ceiling)
    assert placement.virtual % ALIGNMENT == placement.physical % ALIGNMENT == 0
    assert 0 <= placement.virtual <= VIRTUAL_SIZE - BASE - size
    assert 0 <= placement.physical <= ceiling - BASE - size


def test_placements_differ() -> None:
    placements = {choose_placement(seed, BASE, 0x400_0000, 0x800_0000) for seed in range(100)}
    assert len({placement.virtual for placement in placements}) > 80
    assert len({placement.physical for placement in placements}) > 15
