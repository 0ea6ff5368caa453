# SPDX-License-Identifier: BSD-2-Clause
"""Compile programs of ``apps/tabby`` for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def make(scratch: Path, name: str, cflags: str, *targets: str) -> Path:
    """Compile ``targets`` of ``apps/tabby``, away from the checkout; return their directory."""
    library = scratch / "libdbos/libdbos.a"
    programs = scratch / name / "bin"
    common = ["make", "--no-print-directory"]
    for argv in (
        [*common, "-C", ROOT / "libdbos", f"BUILD={library.parent}", "CFLAGS=-O2 -g", library],
        [
            *(*common, "-C", ROOT / "apps/tabby", f"LIBRARY={library}", f"CFLAGS={cflags}"),
            *(f"BUILD={scratch / name}", f"BIN={programs}"),
            *(programs / target for target in targets),
        ],
    ):
        done = subprocess.run([*map(str, argv)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return programs
