# SPDX-License-Identifier: BSD-2-Clause
"""The kernel of a bzImage, unpacked on the host, for boots that can do without KASLR.

A distribution's bzImage unpacks itself. Under emulation that takes longer than all the rest of the
boot (xz: 2.9 s of 5.0 s with QEMU TCG), and the result is the same every time. QEMU can start the
unpacked kernel directly through its PVH entry point. What is lost is the randomisation of the
kernel's address, which the unpacker does; so this is only for boots with ``nokaslr``.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PT_NOTE = 4
_XEN_PHYS32_ENTRY = 18
"""Type of the note, owner ``Xen``, that says where the PVH entry point is."""


def unpacked_kernel(bzimage: Path, cache: Path) -> Path:
    """Return an unpacked copy of ``bzimage``, made at the first call; else ``bzimage`` itself.

    The latter if this kernel is packed in a way unknown here or has no PVH entry.
    """
    packed = bzimage.read_bytes()
    copy = cache / "kernels" / f"{hashlib.sha256(packed).hexdigest()}.vmlinux"
    if copy.exists():
        return copy
    kernel = unpack(packed)
    if kernel is None or not has_pvh_entry(kernel):
        return bzimage
    write_atomically(copy, (kernel,))
    return copy


def write_atomically(path: Path, parts: tuple[bytes, ...]) -> None:
    """Write a file that appears complete or not at all; two writers of the same do no harm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            for part in parts:
                file.write(part)
        Path(temporary).rename(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def unpack(bzimage: bytes) -> bytes | None:
    """Unpack the ELF kernel in a bzImage; ``None`` if there is none or its packing is unknown.

    Offsets are those of the x86 boot protocol: sectors of set-up code at 0x1f1, the magic at
    0x202, the version at 0x206, offset and length of the packed kernel (since 2.08) at 0x248.
    """
    if len(bzimage) < 0x250 or bzimage[0x202:0x206] != b"HdrS":
        return None
    (version,) = struct.unpack_from("<H", bzimage, 0x206)
    if version < 0x208:
        return None
    start = (bzimage[0x1F1] + 1) * 512
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    packed = bzimage[start + offset : start + offset + length]
    try:
        if packed.startswith(b"\xfd7zXZ\0"):
            # Four bytes with the unpacked size follow the stream; the plain function trips on them.
            return lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(packed)
        if packed.startswith(b"\x1f\x8b"):
            return gzip.decompress(packed[:-4])
    except (OSError, EOFError, lzma.LZMAError):
        return None
    return None


def has_pvh_entry(kernel: bytes) -> bool:
    """Tell whether an ELF64 kernel has the note that QEMU's direct boot looks for."""
    if kernel[:6] != b"\x7fELF\x02\x01" or len(kernel) < 64:
        return False
    try:
        return any(note == (b"Xen\0", _XEN_PHYS32_ENTRY) for note in _notes(kernel))
    except struct.error:
        return False


def _notes(kernel: bytes) -> Iterator[tuple[bytes, int]]:
    (table,) = struct.unpack_from("<Q", kernel, 0x20)
    size, count = struct.unpack_from("<HH", kernel, 0x36)
    for at in range(table, table + size * count, size or 1):
        kind, _flags, offset, _va, _pa, length = struct.unpack_from("<IIQQQQ", kernel, at)
        if kind != _PT_NOTE:
            continue
        end = offset + length
        while offset + 12 <= end:
            name, data, note = struct.unpack_from("<III", kernel, offset)
            yield kernel[offset + 12 : offset + 12 + name], note
            offset += 12 + (name + 3 & ~3) + (data + 3 & ~3)
