# SPDX-License-Identifier: BSD-2-Clause
"""Watches one machine during one test: everything a verdict is based on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from lab.command import CommandTimeoutError
from lab.errors import LabError, Status
from lab.machine.autopsy import Findings, GuestHungError
from lab.verdict import kernel_log
from lab.verdict.kernel_log import Baseline
from lab.verdict.scanner import scan
from lab.verdict.taint import READ_TAINT, gained, parse_taint
from lab.verdict.verdict import Evidence, Trouble

if TYPE_CHECKING:
    from lab.lab import Booted

SETTLE = 0.2
"""Seconds after a test in which a late oops still counts as its own."""

_LAST_READ = "last read"
"""The state of a guest of which nothing was asked since its log was read."""

_TROUBLE = {
    Status.HUNG: Trouble.DEADLINE,
    Status.LOST: Trouble.LOST,
    Status.USAGE: Trouble.INFRA,
    Status.MISSING: Trouble.INFRA,
    Status.IMAGE: Trouble.INFRA,
    Status.BUILD: Trouble.INFRA,
    Status.INFRA: Trouble.INFRA,
}


def evidence_of(error: BaseException | None) -> Evidence:
    """Return what an exception alone says; ``None`` is a test that went well."""
    if error is None:
        return Evidence()
    sentence = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, CommandTimeoutError):
        return Evidence(trouble=Trouble.DEADLINE, trouble_text=sentence)
    if isinstance(error, LabError) and error.status in _TROUBLE:
        return Evidence(trouble=_TROUBLE[error.status], trouble_text=sentence)
    return Evidence(failure=sentence)


class Witness:
    """Sees what a machine does from now on; keeps its part of the console and the kernel log."""

    def __init__(self, booted: Booted) -> None:
        self._booted = booted
        self._console = booted.machine.console
        self._begin = len(self._console.read_new())
        self._events = len(booted.machine.events)
        self._before = self._baseline()
        self._records: Sequence[kernel_log.Record] = ()
        self.console = b""
        self.complaints: tuple[str, ...] = ()
        """The text of each report in them, once."""

    def look(self, error: BaseException | None, settle: float = SETTLE) -> Evidence:
        """Gather what has happened until now; ``error`` is how the test ended.

        Waits ``settle`` seconds for what the kernel still has to say, less if it dies.
        """
        machine = self._booted.machine
        machine.dies_within(settle)
        evidence = self._asked(evidence_of(error))
        if machine.panicked:
            machine.hear_out()
        self.console += self._console.read_new()
        # What a hung guest did when it was examined is its answer to the lab's own NMI.
        findings = error.findings if isinstance(error, GuestHungError) else None
        if findings:
            self.console = self.console[: findings.console_size - self._begin]
        console = kernel_log.without_quotations(scan(self.console), self._records)
        texts = {report.title: report.text for report in (*evidence.kernel_log, *console)}
        self.complaints = tuple(texts.values())
        return self._told(replace(evidence, console=console), findings)

    def _told(self, evidence: Evidence, findings: Findings | None) -> Evidence:
        """Add what QEMU said on its own account; restoring a snapshot is no reset."""
        machine = self._booted.machine
        end = findings.events if findings else None
        events = {
            event.name
            for event in machine.events[self._events : end]
            if event.data.get("reason") != "snapshot-load"
        }
        return replace(
            evidence,
            guest_panicked=machine.panicked,
            shutdown="SHUTDOWN" in events,
            reset="RESET" in events,
            watchdog="WATCHDOG" in events,
            emulator_ended=machine.ended
            and not findings
            and not events & {"GUEST_PANICKED", "SHUTDOWN"},
        )

    def _asked(self, evidence: Evidence) -> Evidence:
        """Add what the guest itself can tell, if it still can."""
        if not self._booted.machine.alive:
            return evidence
        try:
            after = self._read()
        except LabError:
            # Whether it died of the question or before is in the monitor's events.
            return replace(evidence, answers=False if self._booted.machine.alive else None)
        self._records = kernel_log.news(self._before.records, after.records).records
        return replace(
            evidence,
            answers=True,
            taint=gained(self._before.taint, after.taint),
            kernel_log=kernel_log.complaints(self._records),
        )

    def _baseline(self) -> Baseline:
        """Return what there was before; asked only if nobody knows.

        Of a saved state it is asked once, and not at all if nothing was asked of the guest since
        the last test. Whatever the kernel says by itself meanwhile, as it wakes up or late, is the
        next test's then: it shall not go unheard.
        """
        state = self._booted.guest.state
        known = self._booted.baselines.get(state) or self._read()
        if state:
            self._booted.baselines[state] = known
        return known

    def _read(self) -> Baseline:
        """Read taint flags and kernel log in one round trip."""
        guest = self._booted.guest
        command = f"{READ_TAINT}; {kernel_log.read_command(secrets.token_hex(8))}"
        taint, _, log = guest.run(command, check=True).text.partition("\n")
        read = self._booted.baselines[_LAST_READ] = Baseline(
            parse_taint(taint), kernel_log.parse(log)
        )
        guest.know_as(_LAST_READ)
        return read

    def leave(self, directory: Path) -> None:
        """Write down what it saw: the test's part of the console and of the kernel log."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "console").write_bytes(self.console)
        (directory / "kernel.log").write_text(kernel_log.render(self._records))
