# SPDX-License-Identifier: BSD-2-Clause
"""Definitions of systems: ``images/systems/<name>.yaml``, read, checked and frozen."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from lab.errors import Status, die, unknown_name
from lab.image.spec import Section

DIRECTORY = "systems"
ESSENTIAL = "?essential"
"""apt's pattern for what is in every installation."""


@dataclass(frozen=True)
class SystemSpec:
    """One system. What is offered lies in its own package repository, for its own apt to install.

    Machines of the lab reach no network.
    """

    system: str
    release: str
    installed: tuple[str, ...]
    offered: tuple[str, ...]

    @property
    def name(self) -> str:
        """The definition below ``images/``."""
        return f"{DIRECTORY}/{self.system}"

    @property
    def packages(self) -> tuple[str, ...]:
        """All that has to be fetched, sorted."""
        return tuple(sorted({ESSENTIAL, *self.installed, *self.offered}))

    @property
    def sources(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def requested(self) -> tuple[str, ...]:
        """All that a lock has to have."""
        return self.packages

    def canonical(self) -> bytes:
        """Serialise for hashing."""
        return json.dumps(asdict(self), sort_keys=True).encode()


def available_systems(source: Path) -> tuple[str, ...]:
    """Return the names, as in ``systems/debian-12``, of those that this checkout defines."""
    paths = (source / "images" / DIRECTORY).glob("*.yaml")
    return tuple(sorted(f"{DIRECTORY}/{path.stem}" for path in paths))


def load_system_spec(source: Path, name: str) -> SystemSpec:
    """Read a definition, with or without the folder's name; a malformed one is a USAGE error."""
    full = name if name.startswith(f"{DIRECTORY}/") else f"{DIRECTORY}/{name}"
    known = available_systems(source)
    if full not in known:
        unknown_name("system", full, known)
    path = source / "images" / f"{full}.yaml"
    try:
        document: object = yaml.safe_load(path.read_text(encoding="utf-8"))
        top = Section("the file", document, {"release", "installed", "offered"})
        return SystemSpec(
            system=full.removeprefix(f"{DIRECTORY}/"),
            release=top.word("release"),
            installed=top.words("installed"),
            offered=top.words("offered"),
        )
    except (yaml.YAMLError, ValueError) as error:
        die(f"{path} is malformed.", f"edit {path}", status=Status.USAGE, detail=str(error))
