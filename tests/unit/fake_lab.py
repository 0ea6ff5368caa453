# SPDX-License-Identifier: BSD-2-Clause
"""A keeper of machines that are none: what a guest does is what the test tells it to do.

A ``conftest.py`` with ``from fake_lab import pytest_lab_keeper`` gives the plugin these instead of
the lab's. The file ``machines`` in the current directory records what was asked of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp
from typing import cast

import pytest

from lab.command import Result
from lab.console import Console
from lab.deadline import limits_for
from lab.engine import Accelerator
from lab.errors import LabError, Status
from lab.guest import Guest
from lab.machine.autopsy import Findings, GuestHungError
from lab.machine.cpus import Condition
from lab.session.cell import Cell
from lab.state import Preparation, State
from lab.verdict.kernel_log import Baseline

__all__ = ["pytest_lab_keeper"]

WARNING = """\
------------[ cut here ]------------
WARNING: CPU: 1 PID: 99 at kern/core.c:42 dune_probe+0x1a/0x30 [dune]
Modules linked in: dune(OE)
CPU: 1 PID: 99 Comm: probe Tainted: G           OE      6.1.0-56-amd64 #1  Debian
RIP: 0010:dune_probe+0x1a/0x30 [dune]
Call Trace:
 <TASK>
 dune_ioctl+0x11/0x20 [dune]
 </TASK>
---[ end trace 0000000000000000 ]---
"""
PANIC = "[   13.000001] Kernel panic - not syncing: sysrq triggered crash\n"
HELLO = "hello: ok, CPL 0, 13 system calls by proxy, 110 world switches\n"


def kmsg(text: str, first: int) -> str:
    """Return lines as records of /dev/kmsg, numbered from ``first``."""
    lines = enumerate(text.splitlines(), first)
    return "".join(f"4,{number},{12_000_000 + number},-;{line}\n" for number, line in lines)


def record(line: str) -> None:
    with Path("machines").open("a") as file:
        file.write(line + "\n")


@dataclass(frozen=True)
class FakeEvent:
    name: str
    data: Mapping[str, object] = field(default_factory=dict)


class FakeMachine:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.events: tuple[FakeEvent, ...] = ()
        self.running = True
        self.hung = False
        self.limits = limits_for(Accelerator.TCG)
        self.path = directory / "console"
        self.path.write_bytes(b"booted\n")

    @property
    def console(self) -> Console:
        return Console(self.path)

    @property
    def panicked(self) -> bool:
        panicked = any(event.name == "GUEST_PANICKED" for event in self.events)
        return panicked and not self.hung

    @property
    def alive(self) -> bool:
        return self.running and not self.panicked

    @property
    def ended(self) -> bool:
        return not self.running

    def dies_within(self, seconds: float) -> bool:
        assert 0 <= seconds < 10
        return not self.alive

    def hear_out(self) -> None:
        assert self.panicked

    def claim(self, user: str) -> None:
        assert "::" in user

    def keep(self, failure: str) -> None:
        record(f"keep {failure}")


class FakeGuest:
    """``run`` answers; the other methods make something happen."""

    def __init__(self, machine: FakeMachine) -> None:
        self.machine = machine
        self.taint = 4096
        self.log = kmsg("Linux version 6.1.0-56-amd64\n", 0)
        self.hangs = False
        self.state = ""
        self.requests = 0
        self.obey: Callable[[str], None] = lambda _script: None

    def run(
        self,
        command: str,
        *,
        timeout: float = 60.0,
        input: bytes = b"",  # noqa: A002 (as the guest's)
        check: bool = False,
    ) -> Result:
        self.requests += 1
        if not self.machine.alive:
            raise LabError("The guest was lost.", "less console", status=Status.LOST)
        if self.hangs:
            raise LabError("It does not answer.", "less console", status=Status.LOST)
        self.obey(input.decode())
        answers = {"/lab/hello": HELLO, "cat /proc/sys/kernel/tainted": f"{self.taint}\n"}
        text = answers.get(command, "")
        if "tainted" in command and "kmsg" in command:
            text = f"{self.taint}\n{self.log}"
        return Result(command, 0, text.encode(), b"", 0.0)

    def know_as(self, name: str) -> None:
        """Every fake is as good as new when a test gets it."""

    def warn(self) -> None:
        """Warn in the kernel log alone, as a quiet console does."""
        self.requests += 1
        self.log += kmsg(WARNING, 100)
        self.taint |= 1 << 9

    def hang(self) -> None:
        """Hang, be found out, and answer the lab's NMI with a panic, as the image's kernel does."""
        machine = self.machine
        found = Findings(
            Condition.STUCK, (), PANIC, machine.path.stat().st_size, len(machine.events)
        )
        self.say(PANIC)
        machine.events += (FakeEvent("GUEST_PANICKED"), FakeEvent("SHUTDOWN"))
        machine.hung, machine.running = True, False
        raise GuestHungError("The guest gave no sign of life", "ls", found, "")

    def panic(self) -> None:
        self.say(PANIC)
        self.machine.events += (FakeEvent("GUEST_PANICKED"), FakeEvent("SHUTDOWN"))

    def end(self, event: str) -> None:
        self.machine.events += (FakeEvent(event),)
        self.machine.running = False

    def say(self, text: str) -> None:
        with self.machine.path.open("a") as console:
            console.write(text)


@dataclass(frozen=True)
class FakeBooted:
    machine: FakeMachine
    guest: FakeGuest
    baselines: dict[str, Baseline] = field(default_factory=dict)


class FakeKeeper:
    """Has ``svm-tcg`` with nested paging; ``svm-kvm`` does not boot here."""

    def __init__(self) -> None:
        self.kept: dict[Cell, FakeBooted] = {}

    def unavailable(self, cell: Cell) -> str | None:
        return "ring 0 runs at 4.5 MIPS" if cell.engine == "svm-kvm" else None

    def capabilities(self, cell: Cell) -> frozenset[str]:
        return frozenset({"svm", "tcg", "npt"})

    def lab(self, cell: Cell) -> Cell:
        return cell

    def clean(self, cell: Cell, state: State, preparation: Preparation | None = None) -> FakeBooted:
        how = "restore" if cell in self.kept else "boot"
        record(f"{how} {cell.id} {state.fixture}")
        if how == "boot":
            self.kept[cell] = self._boot()
        old = self.kept[cell]
        self.kept[cell] = FakeBooted(old.machine, FakeGuest(old.machine))
        if preparation is not None:
            preparation.take(cast(Guest, self.kept[cell].guest))
        return self.kept[cell]

    def fresh(self, cell: Cell, state: State, preparation: Preparation | None = None) -> FakeBooted:
        record(f"fresh {cell.id} {state.fixture}")
        booted = self._boot()
        if preparation is not None:
            preparation.take(cast(Guest, booted.guest))
        return booted

    def discard(self, booted: FakeBooted) -> None:
        record("discard")
        self.kept = {cell: kept for cell, kept in self.kept.items() if kept is not booted}

    def close(self) -> None:
        record("close")

    def _boot(self) -> FakeBooted:
        machine = FakeMachine(Path(mkdtemp(dir=Path.cwd())))
        return FakeBooted(machine, FakeGuest(machine))


def pytest_lab_keeper(config: pytest.Config) -> FakeKeeper:
    return FakeKeeper()
