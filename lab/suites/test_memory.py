# SPDX-License-Identifier: BSD-2-Clause
"""What the host does to the process's memory holds inside, and what the guest writes is kept."""

import re

from lab.session.backend import Backend

STEPS = ["protections", "dontneed", "reclaim", "stack", "heap", "stray"]


def test_the_mirror_is_true(backend: Backend) -> None:
    ran = backend.run("/lab/memory")
    assert re.findall(r"^(\w+): ok$", ran.text, re.M) == [*STEPS, "memory"], ran.stderr.decode()
    assert ran.status == 0
