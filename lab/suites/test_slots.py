# SPDX-License-Identifier: BSD-2-Clause
"""Slots come, move, shrink, lose a right and go, and no access finds what was there before."""

import re

import pytest

from lab.guest import Guest

pytestmark = pytest.mark.lab_boot("seed")

STEPS = ["read-only", "deleted", "moved", "shrunk", "turns", "refusals", "alias", "slots"]


def test_slots(module_loaded: Guest) -> None:
    ran = module_loaded.run("/lab/slots")
    assert re.findall(r"^([a-z-]+): ok", ran.text, re.M) == STEPS, ran.stderr.decode()
    assert ran.text.count("still here") == 4, "each process dies at its last access"
    assert ran.status == 0
