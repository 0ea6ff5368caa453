# SPDX-License-Identifier: BSD-2-Clause
"""The file that Bochs loads into guest memory at power-on: kernel, initramfs, boot parameters.

``loader.S`` starts what is in it, and says why it begins with padding. All of it is built here, in
pure functions, so that the loader has nothing to decide. Offsets in the boot parameters are those
of Linux's x86 boot protocol (``Documentation/arch/x86/boot.rst``).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from lab.errors import Status, die
from lab.machine import kaslr

ADDRESS = 0x800_0000
"""Where the file is loaded, 128 MiB: above all that a kernel needs to unpack itself. A bzImage
works in the ``init_size`` bytes from 16 MiB on, before it looks where the initramfs is."""
BLOCK = 0x2_0000
PADDING_BLOCKS = 16
"""The BIOS touches half of them."""
BOOT_PARAMS = 0x1_0000
PAGE = 4096

_PADDING = b"pad "
_PAYLOAD = b"payl"
_END = b"pend"

_PT_LOAD = 1
_BZIMAGE_ADDRESS = 0x10_0000
_ENTRY_64 = 0x200
"""The 64-bit entry point of a bzImage, from the start of its protected-mode part."""
_UNKNOWN_LOADER = 0xFF
_LOADED_HIGH = 1


@dataclass(frozen=True)
class Kernel:
    """A kernel as it lies in memory, and what its set-up header tells a boot loader."""

    address: int
    entry: int
    """Of 64-bit code."""
    body: bytes
    header: bytes
    """From offset 0x1f1 of the boot parameters."""


def ram_image(kernel: bytes, initramfs: bytes, arguments: tuple[str, ...], seed: int) -> bytes:
    """Build the file. Dies with ``USAGE`` for a kernel that cannot be started this way.

    ``seed`` decides where an unpacked kernel lies, unless ``arguments`` forbid to move it; a
    bzImage decides for itself.
    """
    loaded = read_kernel(kernel, None if "nokaslr" in arguments else seed)
    body = _pages(loaded.body)
    kernel_at = 3 * PAGE
    initramfs_at = kernel_at + len(body)
    size = initramfs_at + len(initramfs) + (-len(initramfs) % 4) + len(_END)
    first = _PAYLOAD + struct.pack(
        "<5I", size, kernel_at, len(body) // 4, loaded.address, loaded.entry
    )
    parts = (
        *(_PADDING + bytes(BLOCK - len(_PADDING)) for _ in range(PADDING_BLOCKS)),
        _pages(first),
        boot_params(loaded.header, initramfs_at, len(initramfs)),
        _pages(" ".join(arguments).encode() + b"\0"),
        body,
        initramfs,
        bytes(-len(initramfs) % 4) + _END,
    )
    return b"".join(parts)


def memory_needed(image: bytes) -> int:
    """Return how many bytes of memory a guest must have for this file to fit, and to boot."""
    return ADDRESS + len(image) + 0x400_0000


def boot_params(header: bytes, initramfs_at: int, initramfs_size: int) -> bytes:
    """Fill in the page that the kernel is given, but for the memory map.

    ``initramfs_at`` is an offset into the payload; the loader adds where that is.
    """
    page = bytearray(PAGE)
    page[0x1F1 : 0x1F1 + len(header)] = header
    page[0x210] = _UNKNOWN_LOADER
    page[0x211] |= _LOADED_HIGH
    struct.pack_into("<II", page, 0x218, initramfs_at, initramfs_size)
    struct.pack_into("<I", page, 0x228, BOOT_PARAMS + PAGE)
    return bytes(page)


def read_kernel(data: bytes, seed: int | None) -> Kernel:
    """Take apart a bzImage, or an unpacked kernel; move the latter if there is a ``seed``."""
    try:
        if data[:6] == b"\x7fELF\x02\x01":
            kernel = _elf(data, seed)
        elif data[0x202:0x206] == b"HdrS" and data[0x236] & 1:  # has a 64-bit entry point
            kernel = _bzimage(data)
        else:
            raise ValueError("it is neither a 64-bit bzImage nor a 64-bit ELF file")
    except (ValueError, IndexError, struct.error) as error:
        die(
            f"The kernel cannot be started: {error}.",
            "dbos-lab image  # makes a guest image whose kernel can",
            status=Status.USAGE,
        )
    return kernel


def _bzimage(data: bytes) -> Kernel:
    end = 0x202 + data[0x201]
    body = data[(data[0x1F1] + 1) * 512 :]
    preferred, room = struct.unpack_from("<QI", data, 0x258)
    if preferred + room > ADDRESS:
        raise ValueError(f"it needs {room >> 20} MiB to unpack itself")
    return Kernel(_BZIMAGE_ADDRESS, _BZIMAGE_ADDRESS + _ENTRY_64, body, data[0x1F1:end])


def _elf(data: bytes, seed: int | None) -> Kernel:
    """Lay out an unpacked kernel as it lies in physical memory, and make the header it has not."""
    entry, table = struct.unpack_from("<QQ", data, 0x18)
    size, count = struct.unpack_from("<HH", data, 0x36)
    segments = [
        struct.unpack_from("<IIQQQQQ", data, table + number * size) for number in range(count)
    ]
    loaded = [segment[2:] for segment in segments if segment[0] == _PT_LOAD]
    base = min(address for _, _, address, _, _ in loaded)
    memory = bytearray(max(address + room for _, _, address, _, room in loaded) - base)
    for start, _, address, length, _ in loaded:
        memory[address - base : address - base + length] = data[start : start + length]
    if base + len(memory) > ADDRESS:
        raise ValueError(f"it is {len(memory) >> 20} MiB large")
    header = bytearray(0x238 - 0x1F1)
    struct.pack_into("<H", header, 0x1FE - 0x1F1, 0xAA55)
    struct.pack_into("<4sH", header, 0x202 - 0x1F1, b"HdrS", 0x20F)
    if seed is None:
        return Kernel(base, entry, bytes(memory), bytes(header))
    relocations = kaslr.read_relocations(data)
    if relocations is None:
        raise ValueError("it cannot be moved, and the command line does not say nokaslr")
    placement = kaslr.choose_placement(seed, base, len(memory), ADDRESS)
    kaslr.relocate(memory, base, relocations, placement.virtual)
    header[0x211 - 0x1F1] = kaslr.FLAG
    moved = placement.physical
    return Kernel(base + moved, entry + moved, bytes(memory), bytes(header))


def _pages(data: bytes) -> bytes:
    return data + bytes(-len(data) % PAGE)
