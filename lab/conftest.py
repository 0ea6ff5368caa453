# SPDX-License-Identifier: BSD-2-Clause
"""What the suites print at the end of a run.

Here, not beside them: under pytest-xdist the controller prints, and it collects nothing, so it only
finds what is in the folder that was named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print the table of the fault zoo, if any of it was visited."""
    from lab.zoo.table import PROPERTY, Row, table_of  # noqa: PLC0415 (rich is slow to import)

    reports = (report for group in terminalreporter.stats.values() for report in group)
    rows = [
        Row.from_text(str(value))
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
        for name, value in report.user_properties
        if name == PROPERTY
    ]
    if rows:
        from rich.console import Console  # noqa: PLC0415

        terminalreporter.section("zoo", "-")
        Console(width=160, highlight=False).print(table_of(rows))
