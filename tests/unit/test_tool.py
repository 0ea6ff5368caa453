# SPDX-License-Identifier: BSD-2-Clause
"""Programs of the host that answer, and one that does not."""

from __future__ import annotations

import time

import pytest

from lab.errors import LabError
from lab.tool import run_tool


def test_status_and_words() -> None:
    done = run_tool(
        ["sh", "-c", "cat; echo out; echo $WORD >&2; exit 3"], environment={"WORD": "x"}
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "x\n")


def test_one_that_hangs_is_killed_and_named() -> None:
    begun = time.monotonic()
    with pytest.raises(LabError, match=r"^sleep did not end within 0\.2 s; it was killed\."):
        run_tool(["sleep", "60"], timeout=0.2)
    assert time.monotonic() - begun < 10
