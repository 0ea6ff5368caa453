# SPDX-License-Identifier: BSD-2-Clause
"""A release of whatever size lets others cut meanwhile."""

from __future__ import annotations

import re

import pytest

from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")

TRIES = 5
"""Of large releases, beside another vCPU."""
AT_ONCE = 512
"""Entries and frames of one step, and at most a table of as many entries more."""


def test_a_release_is_done_in_bounded_steps(backend: Backend) -> None:
    ran = backend.run("/lab/snapshot_steps", timeout=180)
    assert ran.text.endswith("snapshot_steps: ok\n"), ran.stderr.decode()
    alone = re.findall(r"^alone (\d+) (\d+) (\d+)$", ran.text, re.M)
    for pages, steps, longest in (map(int, line) for line in alone):
        assert longest < 2 * AT_ONCE
        # Its own pages are looked at, and as many that it held are handed on.
        assert steps * longest >= 2 * pages
    beside = re.findall(r"^beside (\d+) (\d+)$", ran.text, re.M)
    assert [pages for pages, *_ in alone] == ["512", "16384"]
    assert [pages for pages, _ in beside] == ["512", *["16384"] * TRIES]
    cuts = sum(int(cuts) for pages, cuts in beside if pages == "16384")
    assert cuts > 0, "nobody has cut during the release of a large one"
