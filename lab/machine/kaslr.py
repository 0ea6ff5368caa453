# SPDX-License-Identifier: BSD-2-Clause
"""Moves an unpacked kernel to a random address, as the unpacker in its bzImage would.

That unpacker goes through 8 MB of xz: a minute under an interpreter, for a kernel that is the same
every time but for its address. So the kernel is unpacked once on the host, and its relocations,
which its build appends to the ELF file before packing, are applied here. The kernel is told so
(``FLAG``), and goes on to randomise its other regions by itself.

The table is read from the end of the file: 32-bit words, each the virtual address of a place to
change, in three runs, each preceded by a zero: 64-bit places, 32-bit places from which the distance
is subtracted (per-CPU offsets), 32-bit places. Linux's ``arch/x86/tools/relocs.c`` writes it and
``handle_relocations()`` reads it.
"""

from __future__ import annotations

import array
import random
import struct
from dataclasses import dataclass

ALIGNMENT = 0x20_0000
"""Distance between two possible addresses, virtual and physical."""
VIRTUAL_SIZE = 0x4000_0000
"""Of the region for the kernel and its data."""
FLAG = 2
"""In the boot parameters' ``loadflags``: the kernel was moved."""

_START_OF_MAP = 0xFFFF_FFFF_8000_0000
_WORD = 4


@dataclass(frozen=True)
class Relocations:
    """Virtual addresses, 32 bits of them, of the places to change."""

    add64: tuple[int, ...]
    subtract32: tuple[int, ...]
    add32: tuple[int, ...]


@dataclass(frozen=True)
class Placement:
    """How far a kernel is moved, in bytes."""

    virtual: int
    physical: int


def read_relocations(file: bytes) -> Relocations | None:
    """Read the table at the end of an unpacked kernel; ``None`` if there is none."""
    words = array.array("I", file[len(file) % _WORD :])
    runs = []
    end = len(words)
    for _ in range(3):
        begin = end
        while begin > 0 and words[begin - 1] >= _START_OF_MAP & 0xFFFF_FFFF:
            begin -= 1
        if begin == 0 or words[begin - 1] != 0:
            return None
        runs.append(tuple(words[begin:end]))
        end = begin - 1
    add32, subtract32, add64 = runs
    return Relocations(add64, subtract32, add32) if add32 and add64 else None


def choose_placement(seed: int, base: int, size: int, ceiling: int) -> Placement:
    """Choose among all places for ``size`` bytes that would lie at ``base`` without KASLR.

    The kernel, moved, ends below the physical address ``ceiling``. Same seed, same placement.
    """
    choice = random.Random(seed)
    virtual = (VIRTUAL_SIZE - base - size) // ALIGNMENT
    physical = (ceiling - base - size) // ALIGNMENT
    return Placement(
        choice.randrange(virtual + 1) * ALIGNMENT, choice.randrange(physical + 1) * ALIGNMENT
    )


def relocate(memory: bytearray, base: int, relocations: Relocations, distance: int) -> None:
    """Change the kernel's memory, which begins at physical ``base``, to run ``distance`` further.

    Raises ``ValueError`` for a relocation outside of it.
    """
    low = _START_OF_MAP & 0xFFFF_FFFF
    for places, form, change in (
        (relocations.add64, struct.Struct("<Q"), distance),
        (relocations.subtract32, struct.Struct("<I"), -distance),
        (relocations.add32, struct.Struct("<I"), distance),
    ):
        mask = (1 << 8 * form.size) - 1
        last = len(memory) - form.size
        for place in places:
            at = place - low - base
            if not 0 <= at <= last:
                raise ValueError(f"its relocation at {place:#x} is outside of it")
            (value,) = form.unpack_from(memory, at)
            form.pack_into(memory, at, value + change & mask)
