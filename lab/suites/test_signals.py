# SPDX-License-Identifier: BSD-2-Clause
"""Signals of a program that is inside are what they are outside."""

import re
from signal import SIGSEGV

from lab.session.backend import Backend

CASES = [
    *("kinds", "nesting", "realtime", "stacks", "faults", "mending", "waiting", "jumping"),
    *("changing", "children", "interrupted", "storm", "threads", "moving", "ending"),
]
HANDLED = ["nesting", "stacks", "jumping", "changing", "children", "interrupted", "storm"]
"""Once more with a handler for the system calls."""

REPORT = re.compile(r"^dbos: (.*)\n  rax [0-9a-f]{16} (?:.*\n){6}  vector [0-9a-f]{16} .*$", re.M)


def test_signals_inside_are_as_outside(backend: Backend) -> None:
    ran = backend.run("/lab/signals", timeout=90)
    verdicts = re.findall(r"^(\w+) (same|DIFFERENT)$", ran.text, re.M)
    expected = [*CASES, *(f"{case}_handled" for case in HANDLED)]
    assert verdicts == [(case, "same") for case in expected], ran.text + ran.stderr.decode()
    assert ran.status == 0
    # Each end by an exception is told of once: not those by a signal without one, or caught.
    reasons = REPORT.findall(ran.stderr.decode())
    assert sorted(set(reasons)) == [
        "exception without a handler",
        "no room for the frame of a signal",
    ]
    assert len(reasons) == ran.stderr.decode().count("dbos: ") == 8


def test_broken_guest_ends_by_a_signal_and_with_one_report(backend: Backend) -> None:
    ran = backend.run("/lab/signals broken")
    assert ran.text.split("\n")[:-1] == [f"status {int(SIGSEGV):x}"] * 2
    assert REPORT.findall(ran.stderr.decode()) == [
        "exception in a trap handler, or with interrupts off",
        "the trap stack has overflown",
    ]
