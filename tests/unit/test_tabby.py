# SPDX-License-Identifier: BSD-2-Clause
"""The tree of ``apps/tabby`` on pools that need no privilege, small ones, so that they evict.

What ``tabby-test`` does is in ``apps/tabby/test``: each step is compared with what must be there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from tabby_programs import make

SANITIZED = "-O1 -g -fsanitize=address,undefined -fno-sanitize-recover"
SECONDS = 120.0
"""For each; an idle processor needs one."""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tabby")


@pytest.fixture(scope="module")
def plain(scratch: Path) -> Path:
    return make(scratch, "plain", "-O2 -g", "tabby-test")


@pytest.fixture(scope="module")
def sanitized(scratch: Path) -> Path:
    return make(scratch, "sanitized", SANITIZED, "tabby-test")


def run(*argv: str | Path) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("seed", ["11", "12"])
@pytest.mark.parametrize("test", ["single", "threads", "errors", "full", "races", "reopen"])
@pytest.mark.parametrize("kind", ["hash", "madvise"])
def test_tree(plain: Path, kind: str, test: str, seed: str) -> None:
    assert run(plain / "tabby-test", kind, test, seed).startswith("ok: ")


@pytest.mark.parametrize("test", ["single", "errors", "full", "races", "reopen"])
def test_tree_touches_no_memory_but_its_own(sanitized: Path, test: str) -> None:
    assert run(sanitized / "tabby-test", "hash", test, "13").startswith("ok: ")
