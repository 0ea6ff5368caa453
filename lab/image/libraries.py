# SPDX-License-Identifier: BSD-2-Clause
"""Which shared libraries the programs of a tree need, as the guest's loader will look for them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from lab.image.contain import tool_environment
from lab.tool import run_tool

DIRECTORIES = (
    "lib/x86_64-linux-gnu",
    "usr/lib/x86_64-linux-gnu",
    "lib64",
    "lib",
    "usr/lib",
)
"""Where glibc's loader looks without configuration, in its order."""
NEEDED = re.compile(r"\(NEEDED\)\s+Shared library: \[(.+)\]")


def library_closure(tree: Path, programs: Iterable[str], libraries: Iterable[str]) -> list[str]:
    """Return paths in ``tree`` of ``libraries`` (sonames) and of all that ``programs`` load.

    Raises KeyError with the soname that no package brought.
    """
    chosen: dict[str, str] = {}
    wanted = [*libraries]
    for program in programs:
        wanted += needed(tree / program)
    while wanted:
        soname = wanted.pop()
        if soname not in chosen:
            chosen[soname] = find_library(tree, soname)
            wanted += needed(tree / chosen[soname])
    return sorted(chosen.values())


def find_library(tree: Path, soname: str) -> str:
    """Return the path of ``soname`` in ``tree``."""
    for directory in DIRECTORIES:
        candidate = tree / directory / soname
        if candidate.exists() or candidate.is_symlink():
            return f"{directory}/{soname}"
    raise KeyError(soname)


def needed(binary: Path) -> list[str]:
    """Return the sonames that an ELF file asks for; none for a static program."""
    argv = ["readelf", "--dynamic", "--wide", str(binary)]
    done = run_tool(argv, environment=tool_environment(), check=True)
    return NEEDED.findall(done.stdout)
