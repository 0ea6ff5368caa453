# SPDX-License-Identifier: BSD-2-Clause
"""The end of a machine, by someone who does not own it."""

from __future__ import annotations

import shutil
import signal

from lab.live.machines import LiveMachine
from lab.machine.rundir import end_process, is_owned, process_of

_PATIENCE = 3.0
"""Seconds to end in order, and again to be killed."""


def end(machine: LiveMachine) -> bool:
    """End the machine's process; tell whether it has ended.

    Its directory is left to its owner, who may want to keep it, and removed if that is dead.
    """
    orphaned = not is_owned(machine.directory)  # asked now: its owner lets go of it after the end
    with process_of(machine.directory) as handle:
        ended = handle is None or any(
            end_process(handle, how, _PATIENCE) for how in (signal.SIGTERM, signal.SIGKILL)
        )
    if ended and orphaned:
        shutil.rmtree(machine.directory, ignore_errors=True)
    return ended
