# SPDX-License-Identifier: BSD-2-Clause
"""A guest's console, followed while it grows. Only ever read."""

from __future__ import annotations

import time
from typing import BinaryIO

from lab.console import Console
from lab.live.machines import LiveMachine
from lab.machine.rundir import process_of

_POLL = 0.1
"""Seconds between two looks at the file."""


def follow(machine: LiveMachine, output: BinaryIO, *, forever: bool = True) -> None:
    """Write the console to ``output`` until the machine ends or the reader presses Ctrl-C."""
    console = Console(machine.console)
    try:
        while True:
            # Asked first: what it wrote before its end is then read after that.
            lives = forever and _lives(machine)
            output.write(console.read_new())
            output.flush()
            if not lives:
                return
            time.sleep(_POLL)
    except KeyboardInterrupt:
        return  # the reader has seen enough; the machine goes on


def _lives(machine: LiveMachine) -> bool:
    with process_of(machine.directory) as handle:
        return handle is not None
