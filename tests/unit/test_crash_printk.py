# SPDX-License-Identifier: BSD-2-Clause
"""The log's ring buffer, written by a model of the kernel's writer and read back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.crash.printk import UnreadableLogError, kernel_log, parse_vmcoreinfo

# Of a 6.1 kernel, but for the addresses.
VMCOREINFO = """\
OSRELEASE=6.1.0-56-amd64
SYMBOL(prb)=1000
SIZE(prb_desc)=24
OFFSET(printk_ringbuffer.desc_ring)=0
OFFSET(printk_ringbuffer.text_data_ring)=48
OFFSET(prb_desc_ring.count_bits)=0
OFFSET(prb_desc_ring.descs)=8
OFFSET(prb_desc_ring.infos)=16
OFFSET(prb_desc_ring.head_id)=24
OFFSET(prb_desc_ring.tail_id)=32
OFFSET(prb_desc.state_var)=0
OFFSET(prb_desc.text_blk_lpos)=8
OFFSET(prb_data_blk_lpos.begin)=0
OFFSET(prb_data_blk_lpos.next)=8
SIZE(printk_info)=88
OFFSET(printk_info.ts_nsec)=8
OFFSET(printk_info.text_len)=16
OFFSET(prb_data_ring.size_bits)=0
OFFSET(prb_data_ring.data)=8
"""
INFO = parse_vmcoreinfo(VMCOREINFO)
RING, DESCS, INFOS, TEXTS = 0x2000, 0x10000, 0x20000, 0x30000
COUNT_BITS, SIZE_BITS = 3, 8
COUNT, SIZE = 1 << COUNT_BITS, 1 << SIZE_BITS
ID_MASK, LPOS_MASK = (1 << 62) - 1, (1 << 64) - 1
FINALIZED = 2


class Kernel:
    """Memory with a ring of 8 records and 256 bytes of text, empty as at boot."""

    def __init__(self) -> None:
        self.memory = bytearray(0x31000)
        self.head = self.tail = -(COUNT + 1) & ID_MASK
        self.lpos = -SIZE & LPOS_MASK
        self.put(0x1000, RING)
        self.put(RING, COUNT_BITS, 4)
        self.put(RING + 8, DESCS)
        self.put(RING + 16, INFOS)
        self.put(RING + 48, SIZE_BITS, 4)
        self.put(RING + 56, TEXTS)
        self.blocks: dict[int, int] = {}

    def put(self, address: int, value: int, size: int = 8) -> None:
        self.memory[address : address + size] = value.to_bytes(size, "little")

    def log(self, text: bytes, nanoseconds: int = 0, state: int = FINALIZED) -> None:
        self.head = self.head + 1 & ID_MASK
        size = 8 + (len(text) + 7 & ~7)
        begin, after = self.lpos, self.lpos + size
        if begin // SIZE != after // SIZE:  # it would cross the end: all of it goes to the front
            after = after // SIZE * SIZE + size
            at = 0
        else:
            at = begin % SIZE
        self.lpos = after & LPOS_MASK
        self.memory[TEXTS + at + 8 : TEXTS + at + 8 + len(text)] = text
        index = self.head % COUNT
        self.put(DESCS + 24 * index, state << 62 | self.head)
        self.put(DESCS + 24 * index + 8, begin)
        self.put(DESCS + 24 * index + 16, self.lpos)
        self.put(INFOS + 88 * index + 8, nanoseconds)
        self.put(INFOS + 88 * index + 16, len(text), 2)
        self.blocks[self.head] = begin
        # What was overwritten is no record any more.
        while (
            self.head - self.tail & ID_MASK >= COUNT
            or self.lpos - self.blocks.get(self.tail, self.lpos) & LPOS_MASK > SIZE
        ):
            self.tail = self.tail + 1 & ID_MASK
        self.put(RING + 24, self.head)
        self.put(RING + 32, self.tail)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self.memory[address : address + size])

    def dmesg(self, info: Mapping[str, int] = INFO) -> str:
        return kernel_log(info, self.read)


@given(
    st.lists(
        st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=60),
        min_size=1,
        max_size=60,
    )
)
def test_the_newest_records_are_read_whatever_was_overwritten(texts: list[str]) -> None:
    kernel = Kernel()
    for text in texts:
        kernel.log(text.encode())
    lines = [line.removeprefix("[    0.000000] ") for line in kernel.dmesg().splitlines()]
    assert lines
    assert lines == texts[-len(lines) :]
    assert len(lines) == min(kernel.head - kernel.tail + 1 & ID_MASK, len(texts))


def test_times_and_records_of_several_lines_look_as_in_dmesg() -> None:
    kernel = Kernel()
    kernel.log(b"one", 1_234_567_890)
    kernel.log(b"two\nthree\n", 12_000_001_999)
    assert kernel.dmesg() == ("[    1.234567] one\n[   12.000001] two\n[   12.000001] three\n")


def test_a_record_that_was_being_written_is_left_out() -> None:
    kernel = Kernel()
    kernel.log(b"whole")
    kernel.log(b"half", state=0)
    assert kernel.dmesg() == "[    0.000000] whole\n"


def test_another_layout_is_told_not_guessed() -> None:
    kernel = Kernel()
    kernel.log(b"x")
    info = {name: value for name, value in INFO.items() if "text_len" not in name}
    with pytest.raises(UnreadableLogError, match=r"no OFFSET\(printk_info.text_len\)"):
        kernel.dmesg(info)


def test_memory_that_was_overwritten_is_told() -> None:
    kernel = Kernel()
    kernel.log(b"x")
    kernel.put(RING, 31, 4)
    with pytest.raises(UnreadableLogError, match="makes no sense"):
        kernel.dmesg()


def test_numbers_of_vmcoreinfo() -> None:
    assert parse_vmcoreinfo("SYMBOL(a)=ff\nOFFSET(b.c)=10\nCRASHTIME=1\nNUMBER(x)=-1\n") == {
        "SYMBOL(a)": 255,
        "OFFSET(b.c)": 10,
    }
