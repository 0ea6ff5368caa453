# SPDX-License-Identifier: BSD-2-Clause
"""An unpacked kernel in a machine's memory before the machine starts.

QEMU, told to load such a kernel, keeps a copy of all of it (60 MiB) and writes that over the
guest's memory at every reset of its devices, which each restored snapshot begins with: 0.08 s, and
not what was asked for. So the lab puts the kernel there itself, and gives QEMU an ELF file with
nothing in it but the note that says where to start.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lab.machine.memory import Memory

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_PT_LOAD, _PT_NOTE = 1, 4
_STUB_SIZE = 4096
"""Bytes; QEMU looks for a bzImage's magic far behind the header before it tries ELF."""


@dataclass(frozen=True)
class _Segment:
    """One program header, its fields in the file's order."""

    kind: int
    flags: int
    offset: int
    virtual: int
    physical: int
    file_size: int
    memory_size: int
    alignment: int

    def pack(self) -> bytes:
        fields = (self.kind, self.flags, self.offset, self.virtual, self.physical)
        return _SEGMENT.pack(*fields, self.file_size, self.memory_size, self.alignment)


def place_kernel(kernel: Path, ram: Memory, stub: Path) -> Path:
    """Return the file to give QEMU as its kernel.

    An ELF kernel is copied to where it runs in ``ram``, and ``stub`` is written and returned; what
    comes in another form (a bzImage, which unpacks itself) is returned as it is. So is a file that
    cannot be read: QEMU will say so.
    """
    if not os.access(kernel, os.R_OK):
        return kernel
    with kernel.open("rb") as file:
        if file.read(6) != b"\x7fELF\x02\x01":
            return kernel
        with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as image:
            for segment in _segments(image):
                if segment.kind == _PT_LOAD:
                    # What memory_size has beyond file_size is zero, as is all of a new memory.
                    end = segment.offset + segment.file_size
                    ram.write(segment.physical, image[segment.offset : end])
            stub.write_bytes(entry_stub(image))
    return stub


def entry_stub(image: bytes | mmap.mmap) -> bytes:
    """Make an ELF file with the notes of ``image``, and of all the rest the addresses alone."""
    kept = [segment for segment in _segments(image) if segment.kind in (_PT_LOAD, _PT_NOTE)]
    table, notes = b"", b""
    at = _HEADER.size + len(kept) * _SEGMENT.size
    for segment in kept:
        if segment.kind == _PT_LOAD:  # empty: QEMU passes over it
            table += replace(segment, offset=0, file_size=0, memory_size=0).pack()
        else:
            table += replace(segment, offset=at + len(notes)).pack()
            notes += image[segment.offset : segment.offset + segment.file_size]
    fields = list(_HEADER.unpack_from(image))
    fields[5], fields[6] = _HEADER.size, 0  # program headers follow; there are no sections
    fields[9:14] = _SEGMENT.size, len(kept), 0, 0, 0
    return (_HEADER.pack(*fields) + table + notes).ljust(_STUB_SIZE, b"\0")


def _segments(image: bytes | mmap.mmap) -> Iterator[_Segment]:
    fields = _HEADER.unpack_from(image)
    table, size, count = fields[5], fields[9], fields[10]
    for index in range(count):
        yield _Segment(*_SEGMENT.unpack_from(image, table + index * size))
