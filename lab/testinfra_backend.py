# SPDX-License-Identifier: BSD-2-Clause
"""pytest-testinfra over the lab's own SSH connection.

testinfra's paramiko back end reads all of stdout before it looks at stderr, which blocks a command
that fills the latter, and has no limit for a command's time. ``Guest.run`` has neither fault, and
the connection is there already.
"""

from __future__ import annotations

from typing import Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

from lab.guest import Guest


class GuestBackend(BaseBackend):  # type: ignore[misc]  # testinfra has no annotations
    """Runs testinfra's commands in a guest."""

    NAME = "dbos-lab"

    def __init__(self, guest: Guest) -> None:
        super().__init__(hostname="guest")
        self._guest = guest

    def run(self, command: str, *args: str, **_kwargs: Any) -> CommandResult:
        """Run one command; testinfra wants status and output, whatever they are."""
        result = self._guest.run(self.get_command(command, *args))
        return self.result(result.status, result.command, result.stdout, result.stderr)


def host_of(guest: Guest) -> Host:
    """Return testinfra's host object for a guest."""
    return Host(GuestBackend(guest))
