# SPDX-License-Identifier: BSD-2-Clause
"""``make check-mutants``: the bugs that are put into the memory layer, and the model finds.

Each patch of ``tests/model/mutants`` is one bug; its first paragraph says which. It is applied to a
copy of the tree, which is built and run as ever. A mutant that no schedule finds is a hole in the
properties, and a patch that no longer applies is to be written anew.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

MUTANTS = "tests/model/mutants"
SCHEDULES = 50_000
"""Of each property of snapshots (S): what the unmutated code passes too."""
CHEAPER = 4
"""Times as many of the memory layer's (T) and of pools (B), which have fewer steps."""
SECONDS = 3600.0
_FAILED = re.compile(r"([STB][\w-]+): FAILED in schedule (\d+) after ([\d.]+) s: (.*)")


@dataclass(frozen=True)
class Mutant:
    """A bug: ``patch`` puts it into the tree."""

    name: str
    title: str
    patch: Path


@dataclass(frozen=True)
class Finding:
    """The first schedule that failed; ``seconds`` are of CPU time, properties taking turns."""

    property: str
    schedule: int
    seconds: float
    reason: str


def mutants(root: Path) -> list[Mutant]:
    """Return all of them, by name."""
    return [
        Mutant(path.stem, path.read_text().split("\n\n", 1)[0], path)
        for path in sorted((root / MUTANTS).glob("*.patch"))
    ]


def copy_sources(root: Path, target: Path) -> None:
    """Copy what the model is built from, and what has been built of it already."""
    for part in ("libdbos", "tests/model"):
        shutil.copytree(root / part, target / part)


def apply(mutant: Mutant, tree: Path) -> str:
    """Return what patch(1) says of a mutant that does not apply exactly, else nothing."""
    done = subprocess.run(
        ["patch", "--strip=1", "--fuzz=0", "--batch", "--silent", f"--input={mutant.patch}"],
        cwd=tree,
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def build(tree: Path) -> Path:
    """Build the model in a tree and return it; raises CalledProcessError."""
    directory = tree / "tests/model"
    subprocess.run(["make", "--silent", "-C", directory], check=True)
    return directory / "bin/model"


def run(model: Path, schedules: int, layer: str, timeout: float = SECONDS) -> Finding | None:
    """Return what fails of a layer, T, S or B, or None. Seeds are fixed, so the answer is too."""
    done = subprocess.run(
        [model, "-p", layer, "-n", str(schedules * (1 if layer == "S" else CHEAPER))],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    found = _FAILED.search(done.stdout)
    if found:
        return Finding(found[1], int(found[2]), float(found[3]), found[4])
    done.check_returncode()
    return None


def try_mutant(root: Path, mutant: Mutant, schedules: int) -> Finding | None:
    """Put the bug into a copy of the tree and look for it, first where it is to be found."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as directory:
        tree = Path(directory)
        copy_sources(root, tree)
        complaint = apply(mutant, tree)
        if complaint:
            sys.exit(f"{mutant.patch} does not apply: write it anew\n{complaint}")
        model = build(tree)
        prefix = mutant.name.partition("-")[0]
        layers = {"snap": "S", "pool": "B"}.get(prefix, "TS")
        findings = (run(model, schedules, layer) for layer in layers)
        return next((finding for finding in findings if finding), None)


def main() -> int:
    """Print the table; status 1 if a bug was not found, or one where none was put."""
    root = Path(__file__).resolve().parents[1]
    model = build(root)
    for layer in "TSB":
        alarm = run(model, SCHEDULES, layer)
        if alarm:
            print(f"without any mutant: {alarm.property}: {alarm.reason}")
            return 1
    print(f"without any mutant: nothing in {SCHEDULES} schedules of each property", flush=True)
    survivors = 0
    for mutant in mutants(root):
        finding = try_mutant(root, mutant, SCHEDULES)
        if finding:
            how = f"{finding.property}, {finding.schedule:6} schedules, {finding.seconds:6.2f} s"
        else:
            survivors += 1
            how = "NOT FOUND"
        print(f"{mutant.name:28} {how:36} {mutant.title}", flush=True)
    print(f"{survivors} mutants survive; times are CPU time on this host")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
