# SPDX-License-Identifier: BSD-2-Clause
"""``make check-protocol``: the model of Snappy's protocol, and the faults that are put into it.

``python -m lab.protocol`` searches all states of each size, and looks for each fault; ``--large``
takes the sizes that CI has no time for as well, NAMEs only these sizes and faults. Each of the
following is a failure: a size that violates something; a search that proves nothing; a statement
that no run comes to, where one should; a fault that is not found, or not by what it must violate.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError, Status, unknown_name
from lab.protocol_faults import FAULTS, Fault
from lab.protocol_sizes import MODEL, SIZES, Size, size_named
from lab.spin import CYCLES, LIVENESS, QUICK, SAFETY, Report, spin_version, verify

ROOT = Path(__file__).resolve().parents[1]


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


def search(size: Size, model: Path) -> Outcome:
    """Search all of a size: assertions and deadlocks; then whether there is a run without end."""
    if size.runs_for_ever:
        report, seconds = verify(model, size.definitions(), LIVENESS)
        return Outcome(report, seconds, judge_size(size, report))
    report, seconds = verify(model, size.definitions(), SAFETY)
    wrong = judge_size(size, report)
    if size.large or wrong:
        return Outcome(report, seconds, wrong)
    endless, more = verify(model, size.definitions(), CYCLES)
    return Outcome(report, seconds + more, endless.violated or endless.incomplete)


def look_for(fault: Fault, model: Path) -> Outcome:
    """Put a fault in, and search until something is violated."""
    size = size_named(fault.size)
    way = LIVENESS if size.runs_for_ever else QUICK
    report, seconds = verify(model, size.definitions() | {"FAULT": fault.switch}, way)
    return Outcome(report, seconds, judge_fault(fault, report))


SIZE_HEADER = f"{'size':14} {'states':>10} {'depth':>6} {'MiB':>6} {'CPU s':>6}  searched"
FAULT_HEADER = f"{'fault':24} {'states':>10} {'steps':>6} {'CPU s':>6}  found"


def size_line(size: Size, outcome: Outcome) -> str:
    """Return a line of the first table."""
    report = outcome.report
    verdict = f"FAILED: {outcome.wrong}" if outcome.wrong else "all, verified"
    return (
        f"{size.name:14} {report.states:10} {report.depth:6} {report.megabytes:6.0f} "
        f"{outcome.seconds:6.1f}  {verdict}: {size.title}"
    )


def fault_line(fault: Fault, outcome: Outcome) -> str:
    """Return a line of the second."""
    report = outcome.report
    verdict = f"FAILED: {outcome.wrong}" if outcome.wrong else report.violated
    published = " (published)" if fault.published else ""
    return (
        f"{fault.switch:24} {report.states:10} {report.trail:6} {outcome.seconds:6.1f}  "
        f"{verdict}: {fault.title}{published}"
    )


def run(sizes: Sequence[Size], faults: Sequence[Fault], model: Path) -> int:
    """Print both tables; return how many lines of them are failures."""
    failures = 0
    print(f"{spin_version()}; times are CPU time on this host, without the compiler's")
    if sizes:
        print(SIZE_HEADER)
    for size in sizes:
        outcome = search(size, model)
        failures += bool(outcome.wrong)
        print(size_line(size, outcome), flush=True)
    if faults:
        print(FAULT_HEADER)
    for fault in faults:
        outcome = look_for(fault, model)
        failures += bool(outcome.wrong)
        print(fault_line(fault, outcome), flush=True)
    print(f"{len(sizes)} sizes, {len(faults)} faults, {failures} failures")
    return failures


def chosen(names: Sequence[str], *, large: bool) -> tuple[list[Size], list[Fault]]:
    """Return the sizes and faults of these names; without any, all but what is too large."""
    known = {size.name for size in SIZES} | {fault.switch for fault in FAULTS}
    for name in names:
        if name not in known:
            unknown_name("size or fault", name, known)
    sizes = [size for size in SIZES if size.name in names or (not names and size.large <= large)]
    faults = [fault for fault in FAULTS if fault.switch in names or not names]
    return sizes, faults


def main(arguments: Sequence[str]) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lab.protocol")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only this size, this fault")
    parser.add_argument("--large", action="store_true", help="the large sizes as well")
    options = parser.parse_args(arguments)
    try:
        sizes, faults = chosen(options.names, large=options.large)
        return Status.FAILED if run(sizes, faults, ROOT / MODEL) else Status.OK
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
