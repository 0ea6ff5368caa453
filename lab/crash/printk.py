# SPDX-License-Identifier: BSD-2-Clause
"""The kernel log, read out of a dead kernel's memory.

Nobody can ask a panicked guest for its ``dmesg``, and the console shows warnings only. But the ring
buffer is in the dump, and VMCOREINFO tells where it is and how it is laid out (kernels from 5.10
on; kernel/printk/printk_ringbuffer.c explains the structure). No debug information is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

Read = Callable[[int, int], bytes]
"""Read ``size`` bytes at a virtual ``address`` of the guest's kernel."""

_COMMITTED = (1, 2)
"""States of a record whose text is complete: committed, finalized."""
_STATE_SHIFT = 62
_ID_MASK = (1 << _STATE_SHIFT) - 1
"""Record numbers wrap around, and begin shortly before that."""
_DATALESS = 1
"""Lowest bit of both positions of a record that has no text."""
_LARGEST = 1 << 24
"""Bits would be mad before a ring gets larger: then the dump or the layout is broken."""


class UnreadableLogError(ValueError):
    """VMCOREINFO does not describe a ring buffer, or what is there is none."""


def parse_vmcoreinfo(text: str) -> dict[str, int]:
    """Take the entries that are numbers: ``SYMBOL(x)=hex``, ``OFFSET(x)=dec`` and their kin."""
    return {
        f"{kind}({name})": int(value, 16 if kind == "SYMBOL" else 10)
        for kind, name, value in re.findall(
            r"^(SYMBOL|SIZE|OFFSET|LENGTH)\(([^)]+)\)=([0-9a-f]+)$", text, re.M
        )
    }


def kernel_log(info: Mapping[str, int], read: Read) -> str:
    """Return the log as ``dmesg`` prints it, oldest first."""
    try:
        ring = _Ring(info, read)
        return "".join(_printed(nanoseconds, text) for nanoseconds, text in ring.records())
    except KeyError as error:
        raise UnreadableLogError(f"VMCOREINFO has no {error.args[0]}") from None


def _printed(nanoseconds: int, text: str) -> str:
    stamp = f"[{nanoseconds // 10**9:5d}.{nanoseconds // 1000 % 10**6:06d}] "
    return "".join(f"{stamp}{line}\n" for line in text.split("\n"))


@dataclass(frozen=True)
class _Ring:
    """``struct printk_ringbuffer``; little-endian, 64 bits."""

    info: Mapping[str, int]
    read: Read

    def records(self) -> Iterator[tuple[int, str]]:
        """Yield time (ns since boot) and text of every complete record."""
        count = 1 << self._number(self._descriptors, "prb_desc_ring.count_bits", 4)
        head = self._number(self._descriptors, "prb_desc_ring.head_id")
        tail = self._number(self._descriptors, "prb_desc_ring.tail_id")
        desc_size, info_size = self.info["SIZE(prb_desc)"], self.info["SIZE(printk_info)"]
        span = head - tail & _ID_MASK
        if count * (desc_size + info_size) > _LARGEST or span >= count:
            raise UnreadableLogError("the ring of descriptors makes no sense")
        pointer = self._number(self._descriptors, "prb_desc_ring.descs")
        descs = self.read(pointer, count * desc_size)
        infos = self.read(self._number(self._descriptors, "prb_desc_ring.infos"), count * info_size)
        for number in ((tail + behind) & _ID_MASK for behind in range(span + 1)):
            desc = descs[number % count * desc_size :][:desc_size]
            state = self._field(desc, "prb_desc.state_var")
            if state >> _STATE_SHIFT in _COMMITTED and state & _ID_MASK == number:
                facts = infos[number % count * info_size :][:info_size]
                text = self._text(desc, self._field(facts, "printk_info.text_len", 2))
                yield self._field(facts, "printk_info.ts_nsec"), text

    @cached_property
    def _base(self) -> int:
        return int.from_bytes(self.read(self.info["SYMBOL(prb)"], 8), "little")

    @cached_property
    def _descriptors(self) -> int:
        return self._base + self.info["OFFSET(printk_ringbuffer.desc_ring)"]

    @cached_property
    def _texts(self) -> bytes:
        ring = self._base + self.info["OFFSET(printk_ringbuffer.text_data_ring)"]
        size = 1 << self._number(ring, "prb_data_ring.size_bits", 4)
        if size > _LARGEST:
            raise UnreadableLogError("the ring of texts makes no sense")
        return self.read(self._number(ring, "prb_data_ring.data"), size)

    def _text(self, desc: bytes, length: int) -> str:
        block = desc[self.info["OFFSET(prb_desc.text_blk_lpos)"] :]
        begin = self._field(block, "prb_data_blk_lpos.begin")
        end = self._field(block, "prb_data_blk_lpos.next")
        if begin & _DATALESS and end & _DATALESS:
            return ""
        size = len(self._texts)
        # A block that does not fit before the end of the ring has only its id there; the text
        # is at the beginning, behind a second id.
        start = begin % size if begin // size == end // size or end % size == 0 else 0
        text = self._texts[start + 8 : start + 8 + length]
        return text.decode(errors="replace").rstrip("\n")

    def _number(self, base: int, field: str, size: int = 8) -> int:
        return int.from_bytes(self.read(base + self.info[f"OFFSET({field})"], size), "little")

    def _field(self, data: bytes, field: str, size: int = 8) -> int:
        offset = self.info[f"OFFSET({field})"]
        return int.from_bytes(data[offset : offset + size], "little")
