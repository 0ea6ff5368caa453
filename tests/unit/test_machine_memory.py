# SPDX-License-Identifier: BSD-2-Clause
"""Memory goes back to what it was: checked against a plain model, over random writes."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.machine.memory import Memory

PAGE = mmap.PAGESIZE
SIZE = 64 * PAGE

WRITES = st.lists(
    st.tuples(st.integers(0, SIZE - 1), st.binary(min_size=1, max_size=3 * PAGE)), max_size=8
)


@pytest.fixture
def memory() -> Iterator[Memory]:
    memory = Memory("test", SIZE)
    yield memory
    memory.close()


def everything(memory: Memory) -> bytes:
    """What the other side sees: read through the file, not through the mapping."""
    return os.pread(memory.fd, memory.size, 0)


def write_all(memory: Memory, writes: list[tuple[int, bytes]]) -> None:
    for offset, data in writes:
        memory.write(offset, data[: memory.size - offset])


@given(WRITES, WRITES, WRITES)
@settings(max_examples=60)
def test_what_was_kept_comes_back_whatever_came_between(
    first: list[tuple[int, bytes]], second: list[tuple[int, bytes]], third: list[tuple[int, bytes]]
) -> None:
    memory = Memory("test", SIZE)
    try:
        write_all(memory, first)
        one, kept_one = everything(memory), memory.keep()
        write_all(memory, second)
        two, kept_two = everything(memory), memory.keep()
        write_all(memory, third)
        memory.put_back(kept_one)
        assert everything(memory) == one
        memory.put_back(kept_two)
        assert everything(memory) == two
    finally:
        memory.close()


def test_zero_pages_are_not_kept_and_dirty_ones_are_given_back(memory: Memory) -> None:
    memory.write(0, b"begin" + bytes(40 * PAGE))
    kept = memory.keep()
    assert kept.size == PAGE
    memory.write(PAGE, b"x" * (SIZE - PAGE))
    memory.put_back(kept)
    assert os.fstat(memory.fd).st_blocks * 512 == PAGE
    assert everything(memory) == b"begin".ljust(SIZE, b"\0")


def test_pieces_that_lie_close_are_one(memory: Memory) -> None:
    for page in (0, 3, 40):
        memory.write(page * PAGE, b"x")
    assert [(offset, len(data)) for offset, data in memory.keep().pieces] == [
        (0, 4 * PAGE),
        (40 * PAGE, PAGE),
    ]


def test_what_does_not_fit_is_refused(memory: Memory) -> None:
    with pytest.raises((ValueError, IndexError)):
        memory.write(SIZE - 1, b"xx")
    assert everything(memory) == bytes(SIZE)


def test_a_process_that_inherits_it_shares_it(memory: Memory) -> None:
    other = os.open(memory.path, os.O_RDWR)
    os.pwrite(other, b"theirs", 5)
    os.close(other)
    assert everything(memory)[5:11] == b"theirs"
    [(offset, data)] = memory.keep().pieces
    assert (offset, data[5:11]) == (0, b"theirs")
