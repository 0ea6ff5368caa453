# SPDX-License-Identifier: BSD-2-Clause
"""Runs to compare: records as ``lab.bench.record`` writes them, a file or a directory of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.errors import Status, die

FACTS = ("engine", "guest", "host")
"""What must be the same of two runs, for else nobody knows what made the difference."""
LOAD = "load"
"""Of the host; it is expected to differ."""


@dataclass(frozen=True)
class Run:
    """One record, as far as it is compared."""

    name: str
    facts: Mapping[str, Mapping[str, object]]
    """Of each of ``FACTS``, by their names."""
    samples: Mapping[str, Sequence[float]]


def read_runs(path: Path) -> Mapping[str, Run]:
    """Return the records at ``path`` by their names; none, or one that is malformed, dies."""
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    runs = {file.stem: _read(file) for file in files}
    if not runs:
        die(f"There is no record in {path}.", "make bench-lab  # writes one", status=Status.USAGE)
    return runs


def pairs(
    before: Mapping[str, Run], after: Mapping[str, Run]
) -> tuple[Sequence[tuple[Run, Run]], Collection[str]]:
    """Pair what is to be compared, and return the names of what has no counterpart.

    Two single records are a pair whatever their names; among several, those of one name.
    """
    if len(before) == len(after) == 1:
        return list(zip(before.values(), after.values(), strict=True)), ()
    common = sorted(before.keys() & after.keys())
    if not common:
        die(
            "The two directories have no record of one name.",
            f"name two files, of {', '.join(before)} and of {', '.join(after)}",
            status=Status.USAGE,
        )
    found = [(before[name], after[name]) for name in common]
    return found, sorted(before.keys() ^ after.keys())


def refuse_unlike(first: Run, second: Run, across: Collection[str]) -> Sequence[str]:
    """Die if anything but the code may make a difference; return what of that was allowed."""
    allowed = [told for kind, told in _differences(first, second) if kind in across]
    refused = [(kind, told) for kind, told in _differences(first, second) if kind not in across]
    if refused:
        kinds = dict.fromkeys(kind for kind, _ in refused)
        die(
            f"{first.name} and {second.name} differ in more than the code.",
            "to see what that does: " + " ".join(f"--across {kind}" for kind in kinds),
            status=Status.USAGE,
            detail="\n".join(told for _, told in refused),
        )
    return allowed


def _differences(first: Run, second: Run) -> Iterator[tuple[str, str]]:
    for kind in FACTS:
        before, after = first.facts[kind], second.facts[kind]
        for fact in sorted(before.keys() | after.keys()):
            one, other = before.get(fact), after.get(fact)
            if one != other:
                yield kind, f"{kind}, {fact}: {one}, then {other}"


def _read(path: Path) -> Run:
    try:
        document = json.loads(path.read_text())
        host = {name: fact for name, fact in document["host"].items() if name != LOAD}
        facts = {
            "engine": {"name": str(document["engine"])},
            "guest": dict(document["guest"]),
            "host": host,
        }
        samples = {
            str(name): [float(value) for value in values]
            for name, values in document["samples"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        die(
            f"{path} is no record of a measurement.",
            "name one of build/bench/*.json",
            status=Status.USAGE,
            detail=f"{type(error).__name__}: {error}",
        )
    return Run(path.stem, facts, samples)
