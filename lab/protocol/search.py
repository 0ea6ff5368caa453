# SPDX-License-Identifier: BSD-2-Clause
"""Searches of a model by spin, and what counts as found.

Each of the following is a failure: a size that violates something; a search that proves nothing; a
statement that no run comes to, where one should; a fault that is not found, or not by what it must
violate.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.protocol.model import Fault, Model, Size
from lab.spin import CYCLES, LIVENESS, QUICK, SAFETY, Report, verify

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Outcome:
    """What came of one search; ``wrong`` is why it is a failure, or nothing."""

    report: Report
    seconds: float
    wrong: str


def judge_size(size: Size, report: Report) -> str:
    """Return why a search proves nothing, or nothing."""
    if report.violated:
        return f"violates {report.violated} after {report.trail} steps"
    if report.incomplete:
        return report.incomplete
    if size.complete and report.unreached:
        return f"no run comes to line {'; line '.join(sorted(report.unreached))}"
    return ""


def judge_fault(fault: Fault, report: Report) -> str:
    """Return why a fault was not found as it must be, or nothing."""
    if not report.violated:
        return report.incomplete or "NOT FOUND"
    if report.violated != fault.violates:
        return f"violates {report.violated}, not {fault.violates}"
    return ""


def search(model: Model, size: Size) -> Outcome:
    """Search all of a size: assertions and deadlocks; then whether there is a run without end."""
    path = ROOT / model.path
    if size.runs_for_ever:
        report, seconds = verify(path, size.definitions(), LIVENESS)
        return Outcome(report, seconds, judge_size(size, report))
    report, seconds = verify(path, size.definitions(), SAFETY)
    wrong = judge_size(size, report)
    if size.large or wrong:
        return Outcome(report, seconds, wrong)
    endless, more = verify(path, size.definitions(), CYCLES)
    return Outcome(report, seconds + more, endless.violated or endless.incomplete)


def look_for(model: Model, fault: Fault) -> Outcome:
    """Put a fault in, and search until something is violated."""
    size = model.size_named(fault.size)
    way = QUICK
    if size.runs_for_ever:
        way = LIVENESS
    elif fault.violates == "cycle":
        way = CYCLES
    macros = size.definitions() | {"FAULT": fault.switch}
    report, seconds = verify(ROOT / model.path, macros, way)
    return Outcome(report, seconds, judge_fault(fault, report))
