# SPDX-License-Identifier: BSD-2-Clause
"""Pools that need no privilege, on this host: the guest's program of that name, compiled here."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = ["updates", "evicted", "stale", "errors", "cut", "resize", "misuse", "pools"]


@pytest.fixture(scope="module")
def pools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = tmp_path_factory.mktemp("pools")
    subprocess.run(["make", "-s", "-C", ROOT / "libdbos", f"BUILD={build}", "all"], check=True)
    flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
    include = [f"-I{ROOT / 'libdbos/include'}", f"-I{ROOT / 'tests/guest'}"]
    sources = sorted((ROOT / "tests/guest/pools").glob("*.c"))
    program = build / "pools"
    subprocess.run(
        ["gcc", *flags, *include, "-o", program, *sources, build / "libdbos.a"], check=True
    )
    return program


@pytest.mark.parametrize("kind", ["hash", "madvise"])
def test_pool(pools: Path, tmp_path: Path, kind: str) -> None:
    argv = [str(pools), kind, str(tmp_path / "file"), "100", "7"]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
    assert re.findall(r"^(.+): ok$", ran.stdout, re.M) == TESTS, ran.stderr
    assert ran.returncode == 0
