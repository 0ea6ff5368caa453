# SPDX-License-Identifier: BSD-2-Clause
"""What of a machine the lab holds in its own hands: RAM, scratch disk, and a line to the agent."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from lab.machine.agent import AgentLine
from lab.machine.memory import Memory
from lab.machine.pvh import place_kernel
from lab.machine.spec import MachineSpec

_DISK = 16 << 20
"""Bytes; the scratch disk is there for tests that need a block device, and costs what they use."""


@dataclass(frozen=True)
class Inherited:
    """What QEMU's command line says of it; the descriptors are inherited."""

    kernel: Path
    ram: str
    disk: str
    agent_fd: int


class Backing:
    """Made before QEMU is started, given up after it has ended.

    ``directory`` is the machine's own.
    """

    def __init__(self, spec: MachineSpec, directory: Path) -> None:
        self.ram = Memory("ram", spec.memory_mib << 20)
        self.disk = Memory("disk", _DISK)
        self.store = os.memfd_create("snapshots")
        """An empty file that grows, for QEMU's part of snapshots: a descriptor."""
        ours, self._agent_end = socket.socketpair()
        self.agent = AgentLine(ours)
        self.inherited = Inherited(
            kernel=spec.kernel
            if spec.disk is not None
            else place_kernel(spec.kernel, self.ram, directory / "entry.elf"),
            ram=self.ram.path,
            disk=self.disk.path,
            agent_fd=self._agent_end.fileno(),
        )

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What QEMU must inherit."""
        return (self.ram.fd, self.disk.fd, self.store, self._agent_end.fileno())

    def started(self) -> None:
        """Let go of QEMU's end of the line, so that its end is noticed here."""
        self._agent_end.close()

    def close(self) -> None:
        """Give all of it up."""
        self.started()
        self.agent.close()
        self.ram.close()
        self.disk.close()
        os.close(self.store)
