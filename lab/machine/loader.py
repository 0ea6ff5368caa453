# SPDX-License-Identifier: BSD-2-Clause
"""Assembles ``loader.S`` into an option ROM. It takes 30 ms, so nothing is kept."""

from __future__ import annotations

import subprocess
from pathlib import Path

from lab.errors import Status, die

SOURCE = Path(__file__).with_name("loader.S")
ADDRESS = 0xD_0000
BYTES = 2048
_TIMEOUT = 30.0


def build_loader(directory: Path) -> Path:
    """Write ``loader.rom`` into ``directory``. Dies with ``MISSING`` without binutils."""
    objects, rom = directory / "loader.o", directory / "loader.rom"
    for argv in (
        ["as", "--64", "--fatal-warnings", "-o", str(objects), str(SOURCE)],
        [
            *("ld", "-m", "elf_x86_64", "-nostdlib", "-N", "-e", "start", f"-Ttext={ADDRESS:#x}"),
            *("--oformat", "binary", "-o", str(rom), str(objects)),
        ],
    ):
        _run(argv)
    objects.unlink()
    rom.write_bytes(with_checksum(rom.read_bytes()))
    return rom


def with_checksum(rom: bytes) -> bytes:
    """Set the last byte so that the sum of all is 0 modulo 256; a BIOS calls no other ROM."""
    if len(rom) != BYTES or rom[-1] != 0:
        raise ValueError(f"the ROM must be {BYTES} bytes with the last one free")
    return rom[:-1] + bytes([-sum(rom) % 256])


def _run(argv: list[str]) -> None:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
    except FileNotFoundError:
        die(
            f"The program {argv[0]!r} is missing; the loader for Bochs is assembled with it.",
            "make setup  # installs the host packages",
            status=Status.MISSING,
        )
    if done.returncode != 0:
        die(
            f"The loader for Bochs does not assemble: {argv[0]!r} ended with {done.returncode}.",
            f"check {SOURCE}",
            status=Status.BUILD,
            detail=done.stderr,
        )
