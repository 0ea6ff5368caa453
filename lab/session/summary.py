# SPDX-License-Identifier: BSD-2-Clause
"""What is told of the verdicts: a test's properties, and the lines at the end of the session.

Everything travels in the reports' ``user_properties``, so that JUnit has it too, and so that the
controller of pytest-xdist knows what its workers found.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pytest

from lab.session.cell import Cell

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

PHASES = ("setup", "call", "teardown")
GOOD = "passed"


def replay_line(node_id: str, cell: Cell, seed: int, more: tuple[str, ...] = ()) -> str:
    """Return the command that runs a test again just as it was run."""
    return shlex.join(("pytest", node_id, *cell.arguments, "--lab-seed", str(seed), *more))


def note(item: pytest.Item, **properties: object) -> None:
    """Put properties on a test; one that is there already is replaced."""
    kept = [(name, value) for name, value in item.user_properties if name not in properties]
    item.user_properties[:] = [*kept, *((name, str(value)) for name, value in properties.items())]


def final_reports(reports: Iterable[object]) -> Mapping[str, Mapping[str, str]]:
    """Return the properties of every test that has a verdict, as its last phase left them."""
    found: dict[str, tuple[int, dict[str, str]]] = {}
    for report in reports:
        if not isinstance(report, pytest.TestReport) or hasattr(report, "wasxfail"):
            continue
        if report.when in PHASES:
            properties = {str(name): str(value) for name, value in report.user_properties}
            phase = PHASES.index(report.when)
            if "verdict" in properties and phase >= found.get(report.nodeid, (0,))[0]:
                found[report.nodeid] = phase, properties
    return {node_id: properties for node_id, (_, properties) in found.items()}


def write_summary(terminal: TerminalReporter) -> None:
    """Print how many tests got which verdict, and two lines on each that is not good."""
    reports = (report for group in terminal.stats.values() for report in group)
    verdicts = final_reports(reports)
    if not verdicts:
        return
    counts = Counter(properties["verdict"] for properties in verdicts.values())
    terminal.section("lab", "-")
    for node_id, properties in verdicts.items():
        if properties["verdict"] != GOOD:
            kept = f" [{properties['machine']}]" if properties.get("machine") else ""
            terminal.line(f"{properties['verdict']:8} {node_id}: {properties['title']}{kept}")
            terminal.line(f"         again: {properties['again']}")
    terminal.line(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
