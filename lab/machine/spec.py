# SPDX-License-Identifier: BSD-2-Clause
"""What a machine is to be, before there is one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from lab.engine import Engine
from lab.machine.interleaving import Interleaving


@dataclass(frozen=True)
class MachineSpec:
    """Everything that decides how a machine behaves; two equal specs make two equal machines."""

    engine: Engine
    kernel: Path
    """A bzImage, or an uncompressed ``vmlinux`` with a PVH entry (see ``lab.machine.kernel``)."""
    initramfs: Path
    """Complete: the image's archive followed by the seed with the keys."""
    arguments: tuple[str, ...]
    """The kernel command line, one boot argument per element."""
    disk: Path | None = None
    """A raw disk to boot from by firmware and boot loader, in place of the three above.

    The machine writes to a temporary file and leaves the disk as it is. A reset begins the next
    boot, where other machines end by it. QEMU only.
    """
    cpus: int = 2
    """Those that programs run on; an engine may need one more for the kernel alone."""
    memory_mib: int = 1024
    cpu: str | None = None
    """The emulator's CPU model instead of the engine's, as in ``EPYC,-svm``."""
    ssh_port: int = 0
    """Loopback port that leads to the guest's sshd; 0 takes a free one.

    A fixed port is for people who keep a window open to the guest; the lab itself never asks for
    one, so machines running side by side cannot collide.
    """
    interleaving: Interleaving = field(default_factory=Interleaving)
    """In which order the processors take their turns, where the engine can be told: on Bochs."""
    pinned: tuple[int, ...] = ()
    """The host's processors that play the machine's, one each; empty leaves it to the host."""
    image_digest: str = ""
    """Which image this is, for the record."""
    kernel_release: str = ""
    """As ``uname -r`` says in the guest, for the record and for finding debug information."""
    profile: str = ""
    """Which boot profile ``arguments`` came from, for the record."""
