# SPDX-License-Identifier: BSD-2-Clause
"""Assembles ``probe.S`` into the disk image that the engines boot; cached by its content."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.config import Config
from lab.deadline import Deadline
from lab.doctor.packages import install_command
from lab.errors import Status, die
from lab.lock import hold
from lab.tool import run_tool

SOURCE = Path(__file__).with_name("probe.S")
INCLUDED = (SOURCE.with_name("probe_virt.S"), SOURCE.with_name("probe_io.S"))

FLOPPY_BYTES = 1_474_560
"""A 3.5 inch disk: a size that every BIOS knows the geometry of. Bochs insists on it."""

_PROBING_SECONDS = 120.0
"""The lock is held while another process assembles the probe and boots it under every engine."""
MAX_BYTES = 16 * 512
"""What the boot sector loads, itself included; ``SECTORS`` in ``probe.S``."""


def as_argv(source: Path, output: Path) -> list[str]:
    """Return the assembler's command. What ``source`` includes lies beside this module."""
    include = str(Path(__file__).parent)
    return ["as", "--64", "--fatal-warnings", "-I", include, "-o", str(output), str(source)]


def ld_argv(objects: Path, output: Path) -> list[str]:
    """Return the linker's command: a flat file, to be loaded where a BIOS loads a boot sector."""
    return [
        *("ld", "-m", "elf_x86_64", "-nostdlib", "-N", "-e", "start", "-Ttext=0x7c00"),
        *("--oformat", "binary", "-o", str(output), str(objects)),
    ]


def build_probe(config: Config) -> Path:
    """Return the probe image; build it if this text of it was not built before.

    Raises ``LabError``: binutils missing, an unwritable or full cache, an assembler's complaint.
    """
    text = b"".join(source.read_bytes() for source in (SOURCE, *INCLUDED))
    digest = hashlib.sha256(text).hexdigest()[:16]
    image = config.cache / "doctor" / f"probe-{digest}.img"
    try:
        if image.exists():
            return image
        image.parent.mkdir(parents=True, exist_ok=True)
        with locked(image.parent):
            if not image.exists():
                _assemble(image)
    except OSError as error:
        die(
            f"The probe kernel cannot be written to {image.parent}: {error.strerror}.",
            "DBOS_LAB_CACHE=DIRECTORY dbos-lab doctor  # one with room, that you may write to",
            status=Status.USAGE,
        )
    return image


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock; the kernel drops it when the process dies."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        hold(handle, directory, Deadline.after(_PROBING_SECONDS, "a doctor at work"))
        yield
    finally:
        os.close(handle)


def _assemble(image: Path) -> None:
    """Build beside the target and rename: the cache holds whole images or none.

    The scratch directory has one name, which the lock makes safe; so a killed build's remains are
    cleared away by the next.
    """
    scratch = image.parent / ".building"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        objects, flat = scratch / "probe.o", scratch / "probe.img"
        for argv in (as_argv(SOURCE, objects), ld_argv(objects, flat)):
            _run(argv)
        if flat.stat().st_size > MAX_BYTES:
            die(
                f"probe.S has grown beyond the {MAX_BYTES} bytes its boot sector loads.",
                "raise SECTORS in lab/doctor/probe.S and MAX_BYTES in lab/doctor/image.py",
                status=Status.BUILD,
            )
        os.truncate(flat, FLOPPY_BYTES)
        flat.chmod(0o444)
        flat.rename(image)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(argv: list[str]) -> None:
    try:
        done = run_tool(argv)
    except FileNotFoundError:
        die(
            f"The program {argv[0]!r} is missing; the probe kernel is assembled with it.",
            install_command("binutils"),
            status=Status.MISSING,
        )
    if done.returncode != 0:
        die(
            f"The probe kernel does not assemble: {argv[0]!r} ended with {done.returncode}.",
            "check lab/doctor/probe.S",
            status=Status.BUILD,
            detail=done.stderr,
        )
