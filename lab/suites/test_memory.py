# SPDX-License-Identifier: BSD-2-Clause
"""What the host does to the process's memory holds inside, and what the guest writes is kept."""

import re

from lab.guest import Guest

STEPS = ["protections", "dontneed", "reclaim", "stack", "heap", "stray"]


def test_the_mirror_is_true(module_loaded: Guest) -> None:
    ran = module_loaded.run("/lab/memory")
    assert re.findall(r"^(\w+): ok$", ran.text, re.M) == [*STEPS, "memory"], ran.stderr.decode()
    assert ran.status == 0
