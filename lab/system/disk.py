# SPDX-License-Identifier: BSD-2-Clause
"""A disk to boot a system from: a partition, a file system, and GRUB in front of both.

Nothing is mounted. ``mke2fs`` fills a file system that lies in a file, and GRUB's two images go
where its installer would put them: the first into the boot sector, the second behind it.
"""

from __future__ import annotations

from pathlib import Path

from lab.config import Config
from lab.deadline import Deadline
from lab.errors import Status, die
from lab.image.contain import require_programs, run_logged, tail, tool_environment
from lab.image.store import FILL_SECONDS, Report, content_key, ensure_entry
from lab.sshkey import Keys
from lab.system.spec import SystemSpec
from lab.system.tree import ensure_tree

SECTOR = 512
FIRST_SECTOR = 2048
"""Of the partition. GRUB's second image lies in the gap before it."""
GIBIBYTE = 1 << 30
SIZE = 6 * GIBIBYTE
"""Of the disk; its file takes what was written."""
BOOT_CODE = 440
"""Bytes of the boot sector that are code; the partition table is behind."""
SIGNATURE = b"\x55\xaa"
LINUX = 0x83
LABEL = "system"


def ensure_disk(config: Config, spec: SystemSpec, keys: Keys, report: Report) -> Path:
    """Return a raw disk with the system ``spec``, made first if the cache lacks it. To be read."""
    tree = ensure_tree(config, spec, report, seed=keys.seed())
    key = content_key([tree.parent.name.encode(), Path(__file__).read_bytes()])
    entry = config.cache / "disks" / f"{spec.system}-{key}"

    def fill(partial: Path) -> None:
        report(f"making a disk of {spec.name}")
        write_disk(tree, partial / "disk.raw", config.cache / "logs" / f"disk-{spec.system}.log")

    ensure_entry(entry, fill, report)
    return entry / "disk.raw"


def write_disk(tree: Path, disk: Path, log: Path) -> None:
    """Write ``disk``, with the files of ``tree`` and the boot loader that is among them."""
    status = run_logged(
        [*write_disk_argv(disk, tree), "-d", str(tree)],
        log,
        environment=tool_environment(),
        deadline=Deadline.after(FILL_SECONDS, "making the file system"),
    )
    if status != 0:
        die(
            "the system's file system cannot be made",
            f"read {log}",
            status=Status.IMAGE,
            detail=tail(log),
        )


def write_disk_argv(disk: Path, tree: Path) -> list[str]:
    """Write ``disk`` up to its partition; return the command that fills that, less ``-d FILES``.

    The boot loader is that of ``tree``.
    """
    require_programs("mke2fs")
    boot = (tree / "boot/grub/boot.img").read_bytes()
    core = (tree / "boot/grub/core.img").read_bytes()
    with disk.open("wb") as file:
        file.write(boot_sector(boot))
        file.write(embedded(core))
        file.truncate(SIZE)
    disk.chmod(0o600)  # the machine's private key is on it
    kibibytes = (SIZE - FIRST_SECTOR * SECTOR) // 1024
    options = ["-t", "ext4", "-L", LABEL, "-E", f"offset={FIRST_SECTOR * SECTOR}", "-F", "-q"]
    return ["mke2fs", *options, str(disk), f"{kibibytes}k"]


def boot_sector(boot: bytes) -> bytes:
    """Return GRUB's first image with a partition table of one partition, to boot from."""
    start, count = FIRST_SECTOR, SIZE // SECTOR - FIRST_SECTOR
    # Cylinder, head and sector are long out of use: as large as they can be.
    entry = b"\x80\xfe\xff\xff" + bytes([LINUX]) + b"\xfe\xff\xff"
    entry += start.to_bytes(4, "little") + count.to_bytes(4, "little")
    return boot[:BOOT_CODE].ljust(446, b"\0") + entry.ljust(64, b"\0") + SIGNATURE


def embedded(core: bytes) -> bytes:
    """Return GRUB's second image, which must end before the partition begins."""
    room = (FIRST_SECTOR - 1) * SECTOR
    if len(core) > room:
        die(
            f"GRUB's image has {len(core)} bytes, {room} are there before the partition",
            "name fewer modules for grub-mkimage in images/systems/setup",
            status=Status.IMAGE,
        )
    return core
