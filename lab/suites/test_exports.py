# SPDX-License-Identifier: BSD-2-Clause
"""Snapshots that another process reads (S15), and what is left when either is killed."""

import re

from lab.session.backend import Backend

CASES = ["shared", "copied", "importer", "exporter", "stale", "garbage"]


def test_exports(backend: Backend) -> None:
    ran = backend.run("/lab/exports", timeout=120)
    assert re.findall(r"^(\w+): ok$", ran.text, re.M) == [*CASES, "exports"], ran.stderr.decode()
    assert ran.status == 0
