# SPDX-License-Identifier: BSD-2-Clause
"""What docs/security.md promises, tried by tests/guest/boundary.c from CPL 0."""

import re

import pytest

from lab.guest import Guest

pytestmark = [
    pytest.mark.lab_requires("svm"),  # the list of MSRs is that of kern/svm
    pytest.mark.lab_boot("seed"),
]

READABLE = {
    0xC0000081,  # STAR
    0xC0000082,  # LSTAR
    0xC0000083,  # CSTAR
    0xC0000084,  # SFMASK
    0xC0000100,  # FS base
    0xC0000101,  # GS base
    0xC0000102,  # kernel GS base
}
"""VMLOAD and VMSAVE switch them; nothing else may be let through."""
RANGES = 3 * 0x2000
CR4_MCE = 1 << 6


def test_nothing_is_reached_but_what_is_switched(module_loaded: Guest) -> None:
    said = module_loaded.run("/lab/boundary", check=True).text
    [readable] = re.findall(r"^readable MSRs:(.*)$", said, re.M)
    assert {int(msr, 16) for msr in readable.split()} == READABLE
    assert "ports: all 65536 exit" in said
    assert f"boundary: ok, {RANGES - len(READABLE)} refusals" in said
    # The host's, so that it hears of broken hardware in guest mode too.
    [cr4] = re.findall(r"^CR4: (0x[0-9a-f]+)$", said, re.M)
    assert int(cr4, 16) & CR4_MCE
