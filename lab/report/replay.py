# SPDX-License-Identifier: BSD-2-Clause
"""Runs tests of an earlier session again, each just as it was run then."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.errors import Status, die
from lab.report.entry import Entry


def chosen(entries: Sequence[Entry], part: str | None) -> tuple[Entry, ...]:
    """Return the entries to run again: those whose test has ``part`` in its id.

    Without it, those that were not good. Dies with ``USAGE`` if there are none, or none that a
    command is known for.
    """
    wanted = tuple(
        entry for entry in entries if (not entry.good if part is None else part in entry.test)
    )
    if not wanted:
        what = "is not good" if part is None else f"has {part!r} in its id"
        die(
            f"No test of that session {what}.",
            "dbos-lab replay SESSION PART-OF-A-TEST-ID",
            status=Status.USAGE,
        )
    return wanted


def differences(then: Mapping[str, object], now: Mapping[str, object]) -> tuple[str, ...]:
    """Say what is no longer as it was: the commit, and the image digests, by name."""
    found = []
    if then.get("git") != now.get("git"):
        found.append(f"the tree was {then.get('git') or 'unknown'}, it is {now.get('git')}")
    images_then, images_now = then.get("images"), now.get("images")
    if isinstance(images_then, Mapping) and isinstance(images_now, Mapping):
        found += [
            f"the image {name} was {digest or 'not built'}, it is {images_now.get(name)}"
            for name, digest in images_then.items()
            if images_now.get(name) != digest
        ]
    return tuple(found)


def replay(entries: Sequence[Entry], source: Path) -> int:
    """Run the tests one after another in the checkout ``source``; return the worst status."""
    worst = 0
    for entry in entries:
        command = shlex.split(entry.again) if entry.again else ["pytest", entry.test]
        argv = [sys.executable, "-m", "pytest", *command[1:]]
        print(f"$ {shlex.join(command)}", flush=True)
        worst = max(worst, subprocess.run(argv, cwd=source, check=False).returncode)
    return worst
