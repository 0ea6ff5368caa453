# SPDX-License-Identifier: BSD-2-Clause
"""Writes a session down while it runs. Lives in the process that reports: xdist's controller."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from lab.report.directory import Session, create_session, create_session_in
from lab.report.entry import PHASES, Entry, entry_of

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.terminal import TerminalReporter


class Recorder:
    """A plugin of pytest. The directory is made when the first test that takes a machine has ended.

    ``facts`` is asked then. A session without such a test leaves nothing behind, unless it was told
    to leave its record in ``directory``: then the first test of any kind counts.
    """

    def __init__(
        self,
        sessions: Path,
        facts: Callable[[], Mapping[str, object]],
        directory: Path | None = None,
    ) -> None:
        self._sessions = sessions
        self._facts = facts
        self._directory = directory
        self._session: Session | None = None
        self._early: list[Entry] = []
        self._phases: dict[str, list[pytest.TestReport]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a phase; after the last one, write the test's line."""
        if report.when not in PHASES:
            return
        phases = self._phases.setdefault(report.nodeid, [])
        phases.append(report)
        if report.when == "teardown":
            self._write(report.nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write what was cut short, then the page and the JUnit file."""
        for test in tuple(self._phases):
            self._write(test)
        if self._session is not None:
            finish(self._session)

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Say where the page is."""
        if self._session is not None:
            terminalreporter.line(f"report: file://{self._session.page}")

    def _write(self, test: str) -> None:
        self._early.append(entry_of(test, self._phases.pop(test)))
        if self._session is None and self._directory is not None:
            self._session = create_session_in(self._directory, self._facts())
        elif self._session is None and self._early[-1].cell:
            self._session = create_session(self._sessions, self._facts())
        if self._session is not None:
            with self._session.results.open("a", encoding="utf-8") as file:
                file.writelines(entry.to_line() for entry in self._early)
            self._early.clear()


def finish(session: Session) -> None:
    """Make the page and the JUnit file from what is known of a session."""
    from lab.report.junit import write_junit  # noqa: PLC0415 (not for every pytest on this host)
    from lab.report.page import render  # noqa: PLC0415

    entries = session.entries()
    write_junit(entries, session.junit)
    session.page.write_text(render(session.facts, entries), encoding="utf-8")
