# SPDX-License-Identifier: BSD-2-Clause
"""Small programs of the host that answer at once: run one, take its words, never wait for ever."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import Status, die

TOOL_SECONDS = 120.0
"""They need milliseconds; depmod and apt on a cold, busy disk need seconds."""


def run_tool(
    argv: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None = None,
    check: bool = False,
    timeout: float = TOOL_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, without input, and return status and output.

    Dies with ``FAILED`` if it does not end in time; it is killed. With ``check``, another status
    than 0 raises ``CalledProcessError``. Raises ``FileNotFoundError`` if there is no such program.
    """
    try:
        return subprocess.run(
            argv,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=check,
        )
    except subprocess.TimeoutExpired:
        command = " ".join(map(str, argv))
        die(
            f"{argv[0]} did not end within {timeout:g} s; it was killed.",
            f"{command}  # see whether it ends when typed",
            status=Status.FAILED,
        )
