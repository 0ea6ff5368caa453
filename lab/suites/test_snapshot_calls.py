# SPDX-License-Identifier: BSD-2-Clause
"""Messages and futexes on memory that snapshots are made of (S4, S5)."""

from __future__ import annotations

import re

import pytest

from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")

STEPS = ["received", "sent", "woken", "apart", "refused", "snapshot_calls"]


def test_calls_use_what_their_branch_has(backend: Backend) -> None:
    ran = backend.run("/lab/snapshot_calls", timeout=120)
    assert re.findall(r"^(\w+): ok$", ran.text, re.M) == STEPS, ran.stderr.decode()
    assert ran.status == 0
