# SPDX-License-Identifier: BSD-2-Clause
"""Snapshots where frames run out: an error, or the oldest one goes (S18)."""

from __future__ import annotations

import re

import pytest

from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")


def test_the_pool_runs_out(backend: Backend) -> None:
    ran = backend.run("/lab/snapshot_pressure", timeout=180)
    said = re.findall(r"^(\w+): ok$", ran.text, re.M)
    steps = ["error", "oldest", "last", "children", "lent", "snapshot_pressure"]
    assert said == steps, ran.stderr.decode()
    assert ran.status == 0
