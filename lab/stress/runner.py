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

from lab.stress.plan import Step
from lab.stress.shrink import shrink

STOPPED = r"^step (?P<index>\d+) (?P<name>\S+): status (?P<status>\d+), (stopped|tainted)$"
"""Matches the last line of a script that did not run to its end."""


@dataclass(frozen=True)
class Run:
    """What became of one run."""

    title: str
    """What went wrong in a few words, "" if nothing did."""
    begun: int
    """How many of its steps had begun by then; later ones have no part in it."""


Attempt = Callable[[tuple[Step, ...]], Run]
"""Runs steps on a clean machine."""


@dataclass(frozen=True)
class Failure:
    """A run that failed, and the least of it that still does."""

    title: str
    """What went wrong, of the whole run."""
    steps: tuple[Step, ...]
    """All steps of that run."""
    begun: int
    """How many of them had begun when it was stopped."""
    least: tuple[Step, ...]
    """Those that are enough."""
    attempts: int
    """How many runs it took to find out, without the first."""
    seconds: float
    """And how long."""

    @property
    def options(self) -> tuple[str, ...]:
        """What makes a session with the same seed run the least steps again."""
        return ("--lab-steps", ",".join(str(step.index) for step in self.least))

    @property
    def told(self) -> str:
        """Say it to the user, with the steps."""
        found = "the steps were:"
        if self.attempts:
            found = (
                f"{len(self.least)} of {len(self.steps)} steps are enough, "
                f"found in {self.attempts} runs and {self.seconds:.0f} s:"
            )
        steps = (f"  step {step.index} {step.name}: {step.command}" for step in self.least)
        return "\n".join((self.title, found, *steps))


def stress(
    plan: Sequence[Step],
    attempt: Attempt,
    log: Callable[[str], None],
    *,
    shrinks: bool = True,
    tries: int = 3,
    patience: float = 600.0,
) -> Failure | None:
    """Run the plan; if that fails, find the least steps that fail alike.

    A shorter run counts as failing if it fails with the same title: another failure is another
    story. If the whole run, repeated, does not fail again, then it is a race that does not show
    every time, and a shorter one gets ``tries``. ``patience`` (seconds) bounds the search. ``log``
    gets a line of JSON for every run when it ends, so that the log of an interrupted search is good
    as well.
    """
    steps = tuple(plan)

    def run(chosen: tuple[Step, ...]) -> Run:
        began = time.monotonic()
        done = attempt(chosen)
        log(_entry(chosen, done, time.monotonic() - began))
        return done

    first = run(steps)
    if not first.title:
        return None
    began = time.monotonic()
    attempts = 0

    def fails(positions: Sequence[int]) -> bool:
        nonlocal attempts
        attempts += 1
        return run(tuple(steps[position] for position in positions)).title == first.title

    def fails_in_time(positions: tuple[int, ...]) -> bool:
        return any(fails(positions) for _ in range(tries))

    def may_go_on() -> bool:
        return time.monotonic() - began < patience

    least: Sequence[int] = range(len(steps))
    if shrinks:
        least = range(first.begun)
        if fails(least):
            tries = 1
        least = shrink(least, fails_in_time, may_go_on)
    return Failure(
        first.title,
        steps,
        first.begun,
        tuple(steps[position] for position in least),
        attempts,
        time.monotonic() - began,
    )


def script(steps: Sequence[Step]) -> str:
    """Build the shell script that runs the steps in order.

    It stops behind the first that fails, with its status, or that taints the kernel: what a
    warning breaks is no new finding. Its last line of output is then as ``STOPPED`` says.
    """
    lines = [
        # Not by the shell's read, which takes a byte at a time: of such a file it gets the first.
        "taint() { flags=$(cat /proc/sys/kernel/tainted); }",
        "taint; before=$flags",
        "step() {",
        '	echo "$1 $2" >>/tmp/steps; echo "<6>dbos-lab: step $1 $2" >/dev/kmsg',
        '	sh -c "$3" </dev/null; status=$?; taint',
        '	[ $status = 0 ] || { echo "step $1 $2: status $status, stopped"; exit $status; }',
        '	[ "$flags" = "$before" ] || { echo "step $1 $2: status 0, tainted"; exit 0; }',
        "}",
    ]
    lines += [f"step {step.index} {step.name} {shlex.quote(step.command)}" for step in steps]
    return "\n".join(lines) + "\n"


def _entry(steps: tuple[Step, ...], run: Run, seconds: float) -> str:
    return json.dumps(
        {
            "failure": run.title,
            "begun": run.begun,
            "seconds": round(seconds, 3),
            "steps": [asdict(step) for step in steps],
        }
    )
