# SPDX-License-Identifier: BSD-2-Clause
"""Hosts that are network namespaces: each has an address of its own, and a wire to this one.

The process that uses them is in a namespace of its own already (``make check-campaign`` makes it),
so that nothing here is seen outside, and nothing outside is reached. A namespace lives as long as
the process that was started for it: when this one is killed, all is gone.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wait import wait_until

from lab.machine.process import Process

HEAD = "10.11.0.1"
"""This namespace's own address."""


@dataclass(frozen=True)
class Host:
    """A namespace, by the process that holds it."""

    name: str
    address: str
    holder: int

    def command(self, *argv: str) -> list[str]:
        """Return the command line that runs ``argv`` there; it keeps its process id."""
        return ["nsenter", f"--target={self.holder}", "--net", "--", *argv]


@contextmanager
def hosts(names: Sequence[str], directory: Path) -> Iterator[list[Host]]:
    """Make a host for each name, on one wire with this namespace."""
    _ip("link", "set", "lo", "up")
    _ip("link", "add", "wire", "type", "bridge")
    _ip("address", "add", f"{HEAD}/24", "dev", "wire")
    _ip("link", "set", "wire", "up")
    holders = [
        Process(["unshare", "--net", "--", "sleep", "infinity"], directory / f"{name}.log")
        for name in names
    ]
    try:
        made = []
        for number, (name, holder) in enumerate(zip(names, holders, strict=True), 2):
            host = Host(name, f"10.11.0.{number}", holder.start())
            _wait_for_namespace(host)
            _connect(host)
            made.append(host)
        yield made
    finally:
        for holder in holders:
            holder.end()
        # A wire of two ends goes with the namespace of one, a little later than its last process.
        wait_until(lambda: "to-" not in Path("/proc/self/net/dev").read_text())
        _ip("link", "delete", "wire")


def _connect(host: Host) -> None:
    _ip("link", "add", f"to-{host.name}", "type", "veth", "peer", "eth0", "netns", str(host.holder))
    _ip("link", "set", f"to-{host.name}", "master", "wire", "up")
    for words in (
        ("link", "set", "lo", "up"),
        ("address", "add", f"{host.address}/24", "dev", "eth0"),
        ("link", "set", "eth0", "up"),
    ):
        subprocess.run(host.command("ip", *words), check=True)


def _wait_for_namespace(host: Host) -> None:
    """Wait until the holder has left this namespace; before, what is meant for it would be ours."""
    own, theirs = Path("/proc/self/ns/net"), Path(f"/proc/{host.holder}/ns/net")
    wait_until(lambda: theirs.readlink() != own.readlink())


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)
