# SPDX-License-Identifier: BSD-2-Clause
"""Waiting for what another process does, but not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 600.0
"""On a host where others have machines too, one of ours may have to wait for its place."""


def wait_until(what: Callable[[], object], seconds: float = SECONDS) -> None:
    """Wait until something is so, or fail."""
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to that in time"
        time.sleep(0.05)
