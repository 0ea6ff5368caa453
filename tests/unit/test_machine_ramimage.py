# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import re
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kernel_file import BASE, DATA, ROOM, TEXT, bzimage, vmlinux

from lab.errors import LabError, Status
from lab.machine import loader
from lab.machine.kaslr import ALIGNMENT
from lab.machine.ramimage import (
    ADDRESS,
    BLOCK,
    BOOT_PARAMS,
    PADDING_BLOCKS,
    PAGE,
    memory_needed,
    ram_image,
    read_kernel,
)

MOVABLE = vmlinux(([0x8100_0000], [], [0x8100_0010]))
NOKASLR = ("quiet", "nokaslr")


def payload(image: bytes) -> bytes:
    return image[PADDING_BLOCKS * BLOCK :]


def words(image: bytes) -> tuple[int, ...]:
    """Size, kernel's offset, words, address and entry point."""
    assert payload(image)[:4] == b"payl"
    return struct.unpack_from("<5I", payload(image), 4)


def walk(image: bytes, touched: int) -> bytes:
    """Do what Bochs, a BIOS that touches some blocks, and ``loader.S`` do together."""
    chunks = [image[at : at + BLOCK] for at in range(0, len(image), BLOCK)]
    memory = [chunks.pop(0)]  # loading touches the first block
    del chunks[:touched]  # and these went to wherever the BIOS looked
    memory += chunks
    first = next(n for n, chunk in enumerate(memory) if not chunk.startswith(b"pad "))
    return b"".join(memory[first:])


@given(st.integers(0, PADDING_BLOCKS - 1), st.binary(max_size=5 * BLOCK))
def test_the_payload_is_whole_however_much_the_bios_touched(touched: int, initramfs: bytes) -> None:
    image = ram_image(vmlinux(), initramfs, NOKASLR, seed=0)
    found = walk(image, touched)
    assert found == payload(image)
    assert found[words(image)[0] - 4 :] == b"pend"


def test_an_unpacked_kernel_is_laid_out_as_in_memory() -> None:
    image = ram_image(vmlinux(), b"initramfs", NOKASLR, seed=0)
    _, at, count, address, entry = words(image)
    assert (address, entry) == (BASE, BASE + 0x40)
    body = payload(image)[at : at + 4 * count]
    assert body.startswith(TEXT)
    assert body[0x4000:ROOM] == DATA + bytes(ROOM - 0x4000 - len(DATA))


def test_the_kernel_is_told_where_everything_is() -> None:
    image = ram_image(vmlinux(), b"initramfs", NOKASLR, seed=0)
    _, at, count, *_ = words(image)
    page = payload(image)[PAGE : 2 * PAGE]
    where, size = struct.unpack_from("<II", page, 0x218)
    assert where == at + 4 * count
    assert payload(image)[where : where + size] == b"initramfs"
    assert struct.unpack_from("<I", page, 0x228) == (BOOT_PARAMS + PAGE,)
    assert payload(image)[2 * PAGE :].startswith(b"quiet nokaslr\0")
    assert page[0x202:0x206] == b"HdrS"
    assert page[0x210] != 0
    assert page[0x211] == 1


def test_a_bzimage_keeps_its_header_and_unpacks_itself() -> None:
    image = ram_image(bzimage(), b"", ("quiet",), seed=0)
    _, at, count, address, entry = words(image)
    assert (address, entry) == (0x10_0000, 0x10_0200)
    assert payload(image)[at : at + 4 * count] == TEXT
    page = payload(image)[PAGE : 2 * PAGE]
    assert struct.unpack_from("<Q", page, 0x258) == (BASE,)


def test_an_unpacked_kernel_is_moved_by_the_seed_and_told_so() -> None:
    images = [ram_image(MOVABLE, b"", ("quiet",), seed) for seed in (1, 1, 2)]
    assert images[0] == images[1] != images[2]
    _, at, _, address, entry = words(images[0])
    assert address % ALIGNMENT == 0
    assert entry == address + 0x40
    assert payload(images[0])[PAGE + 0x211] == 1 | 2
    (before,) = struct.unpack_from("<Q", TEXT)
    (after,) = struct.unpack_from("<Q", payload(images[0]), at)
    assert after != before
    assert (after - before) % ALIGNMENT == 0


def test_nokaslr_leaves_it_where_it_was_linked() -> None:
    assert ram_image(MOVABLE, b"", NOKASLR, 1) == ram_image(MOVABLE, b"", NOKASLR, 2)
    assert words(ram_image(MOVABLE, b"", NOKASLR, 1))[3] == BASE


@pytest.mark.parametrize(
    ("kernel", "reason"),
    [
        (b"MZ" * 500, "neither"),
        (b"", "neither"),
        (bzimage(entry_64=False), "neither"),
        (bzimage(room=ADDRESS), "128 MiB to unpack"),
        (vmlinux(), "cannot be moved"),
        (vmlinux(([0x8000_0000], [], [0x8100_0000])), "outside"),
        (vmlinux()[:100], "cannot be started"),
    ],
)
def test_a_kernel_that_cannot_be_started_is_refused(kernel: bytes, reason: str) -> None:
    with pytest.raises(LabError, match=reason) as caught:
        read_kernel(kernel, seed=1)
    assert caught.value.status is Status.USAGE


def test_memory_must_hold_the_file_and_the_guest() -> None:
    image = ram_image(vmlinux(), bytes(BLOCK), NOKASLR, seed=0)
    assert memory_needed(image) > ADDRESS + len(image)


def test_the_loader_agrees_on_the_numbers() -> None:
    text = loader.SOURCE.read_text()
    numbers = {name: int(value, 0) for name, value in re.findall(r"\.set\t(\w+),\t+(\w+)", text)}
    assert numbers["ROM"] == loader.ADDRESS
    assert numbers["ROM_BYTES"] == loader.BYTES
    assert numbers["IMAGE"] == ADDRESS
    assert numbers["BLOCK"] == BLOCK
    assert numbers["BOOT_PARAMS"] == BOOT_PARAMS
    assert numbers["PAGE"] == PAGE
    assert numbers["PADDING"] == int.from_bytes(b"pad ", "little")
    assert numbers["PAYLOAD"] == int.from_bytes(b"payl", "little")
    assert numbers["PAYLOAD_END"] == int.from_bytes(b"pend", "little")
