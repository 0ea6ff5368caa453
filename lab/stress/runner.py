# SPDX-License-Identifier: BSD-2-Clause
"""Runs steps in a guest, on a clean machine each time, and cuts a failing run down.

The steps run as one shell script: a round trip for each would cost more than most steps do. Before
a step begins, its number goes to a log in the guest's memory and to the kernel log, so that the
last one is known even if the machine dies with it.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.stress.plan import Step
from lab.stress.shrink import shrink

Attempt = Callable[[tuple[Step, ...]], str]
"""Runs steps on a clean machine. Returns what went wrong in a few words, "" if nothing did."""


@dataclass(frozen=True)
class Failure:
    """A run that failed, and the least of it that still does."""

    seed: int
    title: str
    """What went wrong, of the whole run."""
    steps: tuple[Step, ...]
    """All steps of that run."""
    least: tuple[Step, ...]
    """Those that are enough."""
    attempts: int
    """How many runs it took to find out, without the first."""
    seconds: float
    """And how long."""

    @property
    def replay(self) -> str:
        """The options that run the least steps again."""
        indices = ",".join(str(step.index) for step in self.least)
        return f"--lab-seed {self.seed} --lab-steps {indices}"


def stress(
    plan: Sequence[Step],
    attempt: Attempt,
    *,
    seed: int,
    log: Path,
    repeats: int = 2,
    patience: float = 600.0,
) -> Failure | None:
    """Run the plan; if that fails, find the least steps that fail alike.

    A shorter run counts as failing if one of ``repeats`` tries fails with the same title: a race
    does not show every time, and another failure is another story. ``patience`` (seconds) bounds
    the search. ``log`` gets a JSON line for every run, written when it ends, so that the log of an
    interrupted search is good as well.
    """
    steps = tuple(plan)

    def run(chosen: tuple[Step, ...]) -> str:
        begun = time.monotonic()
        title = attempt(chosen)
        _note(log, seed, chosen, title, time.monotonic() - begun)
        return title

    title = run(steps)
    if not title:
        return None
    begun = time.monotonic()
    attempts = 0

    def fails(positions: tuple[int, ...]) -> bool:
        nonlocal attempts
        for _ in range(repeats):
            attempts += 1
            if run(tuple(steps[position] for position in positions)) == title:
                return True
        return False

    least = shrink(range(len(steps)), fails, lambda: time.monotonic() - begun < patience)
    return Failure(
        seed,
        title,
        steps,
        tuple(steps[position] for position in least),
        attempts,
        time.monotonic() - begun,
    )


def script(steps: Sequence[Step]) -> str:
    """Build the shell script that runs the steps in order and stops at the first that fails.

    It ends with that step's status. Its last line of output is then ``step N NAME: status S``.
    """
    lines = [
        "step() {",
        '	echo "$1 $2" >>/tmp/steps; echo "<6>dbos-lab: step $1 $2" >/dev/kmsg',
        '	sh -c "$3" </dev/null; status=$?',
        '	[ $status = 0 ] || { echo "step $1 $2: status $status"; exit $status; }',
        "}",
    ]
    lines += [f"step {step.index} {step.name} {shlex.quote(step.command)}" for step in steps]
    return "\n".join(lines) + "\n"


def _note(log: Path, seed: int, steps: tuple[Step, ...], title: str, seconds: float) -> None:
    entry = {
        "seed": seed,
        "failure": title,
        "seconds": round(seconds, 3),
        "steps": [asdict(step) for step in steps],
    }
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        file.write(json.dumps(entry) + "\n")
