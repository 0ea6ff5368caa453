# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's compressed dump, put in the order that debuggers read.

QEMU writes kdump files *flattened*: records of (offset, length, bytes) that say where each piece
of the real file belongs, so that it could go through a pipe. drgn refuses that, crash takes it
slowly. It also leaves the names of the kernel empty, by which libkdumpfile recognises the
architecture.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import BinaryIO

_FLAT_HEADER = struct.Struct(">16sqq")
"""Signature, type 1, version 1; padded to 4 KiB."""
_FLAT_HEADER_SIZE = 4096
_RECORD = struct.Struct(">qq")
"""Offset in the real file and length; both -1 at the end. Big-endian whatever the machine."""

_SIGNATURE = b"KDUMP   "
_UTSNAME = 12
"""Offset in the real file of ``struct new_utsname``: six fields of 65 bytes."""
_FIELD = 65
_RELEASE = re.compile(rb"\nOSRELEASE=([^\n]{1,64})\n")


class MalformedDumpError(ValueError):
    """The file is no flattened dump, or a part of one."""


def rearrange(flat: Path, target: Path) -> None:
    """Write the dump in ``flat`` to ``target`` as a regular kdump file, sparse where it is empty.

    Raises ``MalformedDumpError`` if ``flat`` is cut short; ``target`` is then of no use.
    """
    with flat.open("rb") as source, target.open("w+b") as file:
        header = source.read(_FLAT_HEADER_SIZE)
        if len(header) < _FLAT_HEADER_SIZE:
            raise MalformedDumpError("it is shorter than its header")
        signature, kind, version = _FLAT_HEADER.unpack_from(header)
        if (signature.rstrip(b"\0"), kind, version) != (b"makedumpfile", 1, 1):
            raise MalformedDumpError("it has another header")
        release = b""
        while True:
            record = source.read(_RECORD.size)
            if len(record) < _RECORD.size:
                raise MalformedDumpError("its end is missing")
            offset, length = _RECORD.unpack(record)
            if offset < 0 or length < 0:
                break
            data = source.read(length)
            if len(data) < length:
                raise MalformedDumpError("a piece is cut short")
            # QEMU writes the note in one piece.
            if not release and (found := _RELEASE.search(data)):
                release = found[1]
            file.seek(offset)
            file.write(data)
        _name_kernel(file, release)


def _name_kernel(file: BinaryIO, release: bytes) -> None:
    """Fill in ``struct new_utsname`` of the header: a reader doubts empty names."""
    file.seek(0)
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        raise MalformedDumpError("what it holds is no kdump file")
    names = (b"Linux", b"(none)", release or b"unknown", b"unknown", b"x86_64", b"(none)")
    for index, name in enumerate(names):
        file.seek(_UTSNAME + index * _FIELD)
        file.write(name.ljust(_FIELD, b"\0"))
