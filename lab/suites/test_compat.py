# SPDX-License-Identifier: BSD-2-Clause
"""Programs in the style of Dune's, which know <dune.h> only: tests/guest/compat. Each checks."""

import re

from lab.session.backend import Backend

PROGRAMS = [
    "clone",
    "dirty",
    "frames",
    "interposer",
    "maps",
    "pages",
    "protect",
    "sandbox",
]

MAP = re.compile(r"^0x([0-9a-f]{16})-0x([0-9a-f]{16}) [R-][W-][X-][PS] (.*)$", re.M)


def test_programs_written_for_dune_run(backend: Backend) -> None:
    ran = backend.run("; ".join(f"/lab/compat-{name}" for name in PROGRAMS), timeout=90)
    said = ran.stderr.decode()
    assert ran.text.splitlines() == [f"{name}: ok" for name in PROGRAMS], said
    assert "fault: text -7 2.50 c\n" in said
    maps = MAP.findall(said)
    assert all(int(begin, 16) < int(end, 16) for begin, end, _ in maps)
    paths = [path for _, _, path in maps]
    assert {"/lab/compat-maps", "[heap]", "[stack]", "[vdso]"} <= set(paths), said
    handed_out = re.search(r"^dune: (\d+) pages handed out, of a pool of (\d+)$", said, re.M)
    assert handed_out, said
    assert handed_out[1] == "1"


def test_a_fault_in_ring_3_that_nobody_handles_is_reported(backend: Backend) -> None:
    ran = backend.run("/lab/compat-sandbox unhandled")
    assert ran.status == 1
    said = ran.stderr.decode()
    report = re.search(r"^dune: ring 3 has no handler for this, address (0x[0-9a-f]+)$", said, re.M)
    assert report, said
    assert int(report[1], 16) % 4096 == 0
    assert re.search(r"^dune: trap 14, error code 0x5, ring 3$", said, re.M), said
    assert re.search(rf"rdi {int(report[1], 16):016x} ", said), said
