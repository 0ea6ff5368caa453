# SPDX-License-Identifier: BSD-2-Clause
"""What is taken from a guest that hangs, and that nothing of it takes for ever or is raised."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest
from test_machine_cpus import REGISTERS

from lab.console import Console
from lab.deadline import Deadline
from lab.errors import LabError, Status
from lab.machine.autopsy import _BEGINS_WITHIN, LOOKS, Findings, GuestHungError, examine
from lab.machine.cpus import Condition
from lab.machine.qmp import Qmp


class Monitor:
    """A monitor with fixed answers. ``silent``: it takes each command and lets the time run out."""

    def __init__(self, console: Path, *, running: bool = True, silent: bool = False) -> None:
        self.console = console
        self.running = running
        self.silent = silent
        self.commands: list[str] = []
        self.events: tuple[str, ...] = ("RESUME",)

    def execute(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        timeout: float = 10.0,
    ) -> object:
        self.commands.append(command)
        if self.silent:
            time.sleep(timeout)
            raise LabError("QEMU did not answer.", "wait", status=Status.LOST)
        if command == "query-status":
            return {"running": self.running}
        if command == "inject-nmi":
            threading.Timer(0.2, self.panic).start()
        return REGISTERS.replace("\n", "\r\n")

    def panic(self) -> None:
        self.events += ("GUEST_PANICKED", "SHUTDOWN")
        with self.console.open("ab") as console:
            for piece in (b"Kernel panic - ", b"not syncing: NMI\r\n"):
                console.write(piece)
                console.flush()
                time.sleep(0.1)


@pytest.fixture
def console(tmp_path: Path) -> Path:
    path = tmp_path / "console"
    path.write_bytes(b"before\r\n")
    return path


def taken_from(monitor: Monitor, seconds: float = 10.0) -> Findings:
    return examine(
        cast(Qmp, monitor),
        monitor.console.parent,
        Console(monitor.console),
        Deadline.after(seconds, "a test"),
    )


def test_registers_come_first_and_the_answer_to_the_interrupt_is_whole(
    tmp_path: Path, console: Path
) -> None:
    monitor = Monitor(console)
    begun = time.monotonic()
    findings = taken_from(monitor)
    assert time.monotonic() - begun < _BEGINS_WITHIN  # over soon after the last byte
    assert monitor.commands == ["query-status", *["human-monitor-command"] * LOOKS, "inject-nmi"]
    assert findings.condition is Condition.RUNNING
    assert [len(look) for look in findings.looks] == [2] * LOOKS
    assert findings.nmi == "Kernel panic - not syncing: NMI\n"
    assert findings.events == 1  # before the panic, which is the lab's doing
    assert (tmp_path / "registers").read_text().count("CPU#1\n") == LOOKS
    assert (tmp_path / "nmi").read_bytes() == b"Kernel panic - not syncing: NMI\r\n"
    record = json.loads((tmp_path / "hang.json").read_text())
    assert record["condition"] == "RUNNING"
    assert record["processors"][0][1]["ring"] == 3
    assert record["console_size"] == findings.console_size == len(b"before\r\n")


def test_a_paused_machine_is_not_interrupted(tmp_path: Path, console: Path) -> None:
    monitor = Monitor(console, running=False)
    assert taken_from(monitor).condition is Condition.PAUSED
    assert "inject-nmi" not in monitor.commands


def test_a_monitor_that_hangs_as_well_costs_no_more_than_the_deadline(
    tmp_path: Path, console: Path
) -> None:
    begun = time.monotonic()
    findings = taken_from(Monitor(console, silent=True), seconds=0.5)
    assert time.monotonic() - begun < 2
    assert findings == Findings(Condition.UNKNOWN, (), "", len(b"before\r\n"), 1)
    assert json.loads((tmp_path / "hang.json").read_text())["processors"] == []


def test_the_error_carries_the_evidence(console: Path) -> None:
    findings = taken_from(Monitor(console))
    error = GuestHungError("The guest gave no sign of life", "ls", findings, "the console's end")
    assert error.status is Status.HUNG
    assert error.message == f"The guest gave no sign of life: {Condition.RUNNING}."
    assert "CPU 0: halted, interrupts on" in error.detail
    assert error.detail.endswith("the console's end")
    assert error.findings is findings
