# SPDX-License-Identifier: BSD-2-Clause
"""``make check-protocol``: the models of protocols, and the faults that are put into them.

``python -m lab.protocol`` searches all states of each size of each model, and looks for each fault;
``--large`` takes the sizes that CI has no time for as well. NAMEs only these models, sizes and
faults. What is a failure stands in search.py.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from lab.errors import LabError, Status, unknown_name
from lab.protocol.model import Fault, Model, Size
from lab.protocol.search import Outcome, look_for, search
from lab.protocol.snappy import SNAPPY
from lab.protocol.tabby import TABBY
from lab.spin import spin_version

MODELS = (SNAPPY, TABBY)

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


@dataclass(frozen=True)
class Searches:
    """What is to be searched of one model."""

    model: Model
    sizes: tuple[Size, ...]
    faults: tuple[Fault, ...]

    def run(self) -> int:
        """Print both tables; return how many lines of them are failures."""
        failures = 0
        if self.sizes:
            print(f"{self.model.path}\n{SIZE_HEADER}")
        for size in self.sizes:
            outcome = search(self.model, size)
            failures += bool(outcome.wrong)
            print(size_line(size, outcome), flush=True)
        if self.faults:
            print(f"{self.model.path}, with a fault\n{FAULT_HEADER}")
        for fault in self.faults:
            outcome = look_for(self.model, fault)
            failures += bool(outcome.wrong)
            print(fault_line(fault, outcome), flush=True)
        return failures


def run(chosen: Sequence[Searches]) -> int:
    """Search all of it; return how many failures there were."""
    print(f"{spin_version()}; times are CPU time on this host, without the compiler's", flush=True)
    failures = sum([searches.run() for searches in chosen])
    sizes = sum(len(searches.sizes) for searches in chosen)
    faults = sum(len(searches.faults) for searches in chosen)
    print(f"{sizes} sizes, {faults} faults, {failures} failures")
    return failures


def names_of(model: Model) -> set[str]:
    """Return what of a model can be asked for by name."""
    sizes = {size.name for size in model.sizes}
    return {model.name} | sizes | {fault.switch for fault in model.faults}


def choose(names: Sequence[str], *, large: bool) -> list[Searches]:
    """Return what these names are of; without any, all but what is too large."""
    known = set[str]().union(*map(names_of, MODELS))
    for name in names:
        if name not in known:
            unknown_name("model, size or fault", name, known)
    return [_of_model(model, set(names), large=large) for model in MODELS]


def _of_model(model: Model, names: set[str], *, large: bool) -> Searches:
    whole = not names or model.name in names
    return Searches(
        model,
        tuple(s for s in model.sizes if s.name in names or (whole and s.large <= large)),
        tuple(fault for fault in model.faults if fault.switch in names or whole),
    )


def main(arguments: Sequence[str]) -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lab.protocol")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only this model, size, fault")
    parser.add_argument("--large", action="store_true", help="the large sizes as well")
    options = parser.parse_args(arguments)
    try:
        failures = run(choose(options.names, large=options.large))
        return Status.FAILED if failures else Status.OK
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
