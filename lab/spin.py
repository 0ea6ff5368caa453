# SPDX-License-Identifier: BSD-2-Clause
"""Runs spin(1) on a model: generates a verifier, compiles and runs it, and reads its report.

A search counts only if it was exhaustive and exact: no state limit, no depth limit, no memory limit
reached, and every state stored in full (no bit-state hashing, no hash compaction).
"""

from __future__ import annotations

import re
import resource
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lab.errors import Status, die
from lab.tool import run_tool

COMMON = ("-w", "-DCOLLAPSE", "-DVECTORSZ=2048")
"""COLLAPSE stores each state in full, in parts: slower, and a quarter of the memory."""
DEPTH = 100_000
SECONDS = 3600.0


@dataclass(frozen=True)
class Way:
    """How to search: what the verifier is compiled with, and run with."""

    compiled: tuple[str, ...]
    run: tuple[str, ...] = ()


SAFETY = Way(("-O1", "-DSAFETY"))
"""Assertions, and runs that end where somebody waits."""
QUICK = Way(("-O0", "-DSAFETY"))
"""The same, for searches that take less time than the compiler."""
CYCLES = Way(("-O1", "-DNP"), ("-l",))
"""Runs that do not end. Nothing in the models is marked as progress, so that is every cycle."""
LIVENESS = Way(("-O0",), ("-a", "-f"))
"""Runs that do not keep the model's LTL property, though each process that can go on does."""

_STATES = re.compile(r"^\s*(\d+(?:\.\d+)?(?:e\+\d+)?) states, stored", re.M)
_DEPTH = re.compile(r"depth reached (\d+), errors: (\d+)")
_MEMORY = re.compile(r"^\s*([\d.]+)\s+total actual memory usage", re.M)
_ERROR = re.compile(r"^pan:\d+: (.+?)(?: \(at depth (\d+)\))?$", re.M)
_ASSERTION = re.compile(r"assertion violated \W*(\w+)")
_UNREACHED = re.compile(r'^\t\S+:(\d+), state \d+, "(.*)"$', re.M)
_INEXACT = ("Bit statespace search", "Hash-Compact")


@dataclass(frozen=True)
class Report:
    """What a verifier has said.

    ``violated`` is the name that the failed assertion begins with, ``deadlock`` or ``cycle``, or
    nothing. ``incomplete`` says why the search proves nothing, or nothing. ``unreached`` are
    statements, each with its line in the file that it is from.
    """

    states: int
    depth: int
    megabytes: float
    violated: str
    trail: int
    incomplete: str
    unreached: frozenset[str]


def read_report(text: str) -> Report:
    """Read the output of a verifier; dies if it is none."""
    states, depth, memory = _STATES.search(text), _DEPTH.search(text), _MEMORY.search(text)
    if states is None or depth is None or memory is None:
        die("The verifier did not come to a report.", "read what it said", detail=text[-2000:])
    error = _ERROR.search(text)
    return Report(
        states=int(float(states[1])),
        depth=int(depth[1]),
        megabytes=float(memory[1]),
        violated=_violated(error[1]) if error else "",
        trail=int(error[2] or 0) if error else 0,
        incomplete=_incomplete(text, int(depth[2])),
        unreached=frozenset(f"{line}: {what}" for line, what in _UNREACHED.findall(text)),
    )


def _violated(error: str) -> str:
    assertion = _ASSERTION.match(error)
    if assertion:
        return assertion[1]
    if "invalid end state" in error:
        return "deadlock"
    if "non-progress cycle" in error or "acceptance cycle" in error:
        return "cycle"
    return error


def _incomplete(text: str, errors: int) -> str:
    if "Full statespace search" not in text or any(sign in text for sign in _INEXACT):
        return "not every state was stored in full"
    if "max search depth too small" in text:
        return "the depth limit was reached"
    if "out of memory" in text or "MEMLIM bound" in text:
        return "there was not enough memory"
    if "Search not completed" in text and not errors:
        return "the search was not completed"
    return ""


def verify(
    model: Path, definitions: Mapping[str, str], way: Way, timeout: float = SECONDS
) -> tuple[Report, float]:
    """Search the states of a model; return the report, and how much time the search took.

    ``definitions`` are macros. The search ends at the first error. The time is the processor's, so
    that it means something on a busy host; generating and compiling the verifier are not in it.
    """
    macros = [f"-D{name}={value}" for name, value in definitions.items()]
    with tempfile.TemporaryDirectory(prefix="spin-") as name:
        directory = Path(name)
        _make("spin", ["-a", *macros, str(model)], directory)
        _make("gcc", [*COMMON, *way.compiled, "-o", "pan", "pan.c"], directory)
        before = _processor_seconds()
        try:
            done = subprocess.run(
                ["./pan", f"-m{DEPTH}", *way.run],
                cwd=directory,
                capture_output=True,
                text=True,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            die(
                f"The verifier did not end within {timeout:g} s; it was killed.",
                "make that size smaller, or give it more time",
                status=Status.HUNG,
            )
        return read_report(done.stdout + done.stderr), _processor_seconds() - before


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _make(program: str, arguments: Sequence[str], directory: Path) -> None:
    try:
        done = subprocess.run(
            [program, *arguments], cwd=directory, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        missing(program)
    said = done.stdout + done.stderr
    if done.returncode != 0 or "Error:" in said:
        die(
            f"{program} did not take the model.",
            "read what it said",
            status=Status.BUILD,
            detail=said[-2000:],
        )


def missing(program: str) -> NoReturn:
    """Die for lack of a program."""
    die(f"This host has no {program}.", f"apt-get install {program}", status=Status.MISSING)


def spin_version() -> str:
    """Return spin's own name and version; dies if this host has none."""
    try:
        return run_tool(["spin", "-V"]).stdout.strip()
    except FileNotFoundError:
        missing("spin")
