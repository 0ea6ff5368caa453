# SPDX-License-Identifier: BSD-2-Clause
"""What a machine asks of the program that plays it: the seam between ``Machine`` and an emulator.

``lab.machine.qemu`` and ``lab.machine.bochs`` are the two implementations. A driver is used for one
start; ``Machine`` calls ``launch`` and ``settle`` once, in this order, and ``close`` at the end,
whatever happened in between.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from typing import Protocol

from lab.errors import LabError, Status
from lab.machine.process import Process
from lab.machine.rundir import RunDir


class Driver(Protocol):
    """One emulator for one machine."""

    title: str
    """Its name, for messages."""
    process: Process | None
    """The emulator, once started."""
    ssh_port: int
    """The loopback port that leads to the guest's sshd, once settled."""

    def require(self) -> None:
        """Die with ``MISSING`` if this host lacks a program that is needed."""

    def launch(self, directory: RunDir) -> Sequence[str]:
        """Start the process, with all its files in ``directory``; return its command line."""

    def settle(self, directory: RunDir) -> None:
        """Return when the guest begins to run; die, in the emulator's words, if it does not."""

    def threads(self) -> Sequence[int]:
        """Return the ids of the threads that play the processors, in the processors' order."""

    @property
    def alive(self) -> bool:
        """Whether the guest can still do anything. Cheap; any thread may ask at any time."""

    @property
    def panicked(self) -> bool:
        """Whether the guest's kernel reported a panic."""

    def cause(self) -> str:
        """Say in half a sentence how the guest ended, as far as the emulator knows; else empty."""

    def facts(self) -> dict[str, object]:
        """What of this emulator belongs into the run's record."""

    def quit(self, timeout: float) -> bool:
        """Ask it to end; tell whether it took the request, or had ended already."""

    def close(self) -> None:
        """Let go of everything. Harmless when called twice."""


def manner_of_death(title: str, process: Process | None) -> str:
    """Say how the emulator's process ended."""
    status = process.status if process is not None else None
    if status is None:
        return f"{title} still runs"
    if status < 0:
        return f"{title} was killed by {signal.Signals(-status).name}"
    return f"{title} ended with status {status}"


def port_is_taken(port: int) -> LabError:
    """Describe that someone else listens on the port that was asked for."""
    return LabError(
        f"Port {port} of 127.0.0.1 is taken.",
        "choose another port, or none: the lab then finds a free one",
        status=Status.USAGE,
    )
