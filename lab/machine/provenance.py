# SPDX-License-Identifier: BSD-2-Clause
"""Where a run took place and what was run: the facts a failure is recreated from."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
from pathlib import Path


def git_state(source: Path) -> str:
    """Return the checkout's commit, with ``-dirty`` if files differ from it; empty if unknown."""
    # --exclude: the commit itself, never its distance from a tag.
    describe = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        done = subprocess.run(
            describe, cwd=source, capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def tree_state(source: Path) -> str:
    """Return the same, with a hash of how the files that git knows differ from the commit.

    Two checkouts of the same state have the same tests and the same code to be tested.
    """
    state = git_state(source)
    if not state.endswith("-dirty"):
        return state
    difference = subprocess.run(
        ["git", "diff", "--binary", "HEAD"], cwd=source, capture_output=True, timeout=60, check=True
    )
    return f"{state}-{hashlib.sha256(difference.stdout).hexdigest()[:16]}"


def host_facts() -> dict[str, object]:
    """Describe this host: what decides how fast, and in what order, things happen on it."""
    processor = re.search(r"^model name\s*:\s*(.*)$", _read("/proc/cpuinfo"), re.M)
    memory = re.search(r"^MemTotal:\s*(\d+) kB", _read("/proc/meminfo"), re.M)
    return {
        "kernel": platform.release(),
        "processor": processor[1] if processor else "",
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": int(memory[1]) // 1024 if memory else 0,
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""
