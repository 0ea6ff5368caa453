# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for a file lock, but not for ever: its holder may be stopped, or hang."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from lab.deadline import Deadline
from lab.errors import Status, die

BRIEF_SECONDS = 60.0
"""For locks that are held for moments, on a host that may be busy."""

_POLL = 0.02


def hold(
    lock: TextIO | int, path: Path, deadline: Deadline, waiting: Callable[[], None] = lambda: None
) -> None:
    """Take the exclusive lock of an open file; the kernel drops it when the file is closed.

    ``waiting`` is called once if it has to be waited for. Dies with ``FAILED`` at the deadline.
    A wait in small steps, so that Ctrl-C is noticed between two.
    """
    told = False
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if deadline.passed:
                die(
                    f"Another process holds the lock {path} for longer than {deadline}.",
                    f"fuser -v {path}  # says which; end it if it hangs",
                    status=Status.FAILED,
                )
            if not told:
                waiting()
                told = True
            time.sleep(_POLL)
        else:
            return
