# SPDX-License-Identifier: BSD-2-Clause
"""The definition of a campaign: a YAML file, unfolded into cells.

A cell is one test session: tests, and a value for each option of the lab that decides what they
run on. ``cells`` is a list of groups; in a group each list is an axis, and there is a cell for
every combination:

    name: nightly
    limit: 3600
    cells:
      - tests: [lab/suites/test_hello.py, lab/suites/test_smp.py -k shootdown]
        image: [debian-12, debian-13]
        profile: [seed, stock]
        seed: 1-20
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import yaml

from lab.engine import engine_named
from lab.errors import Status, die, unknown_name
from lab.image.spec import available_images
from lab.profile import available_profiles

AXES = ("image", "engine", "profile", "cpus", "seed")
"""Options of the lab a cell has one value of; an axis that is left out is left to the lab."""
LIMIT = 3600.0
"""Seconds that a cell may take, unless its campaign or its group says otherwise."""
_RANGE = re.compile(r"(\d+)-(\d+)")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class CampaignCell:
    """One test session. Cells that compare equal are one, and have one result."""

    tests: tuple[str, ...]
    """What is typed behind ``pytest``."""
    options: tuple[tuple[str, str], ...]
    """Values of axes, in the order of ``AXES``."""
    limit: float = field(default=LIMIT, compare=False)
    """Seconds. No part of the identity: it decides whether there is a result, not which."""

    @property
    def id(self) -> str:
        """The identity: a hash of the definition, the same on every host."""
        content = json.dumps([self.tests, self.options]).encode()
        return hashlib.sha256(content).hexdigest()[:16]

    @property
    def title(self) -> str:
        """The cell for people."""
        return " ".join([shlex.join(self.tests), *(f"{axis}={v}" for axis, v in self.options)])

    @property
    def arguments(self) -> tuple[str, ...]:
        """The cell as arguments of pytest."""
        flags = ((f"--lab-{axis}", value) for axis, value in self.options)
        return (*self.tests, *itertools.chain.from_iterable(flags))


@dataclass(frozen=True)
class Campaign:
    """A name, and cells in the order of the file, each once."""

    name: str
    cells: tuple[CampaignCell, ...]


def load_campaign(path: Path, source: Path) -> Campaign:
    """Read a definition; names in it are those of the checkout ``source``. Dies with ``USAGE``."""
    document = read_yaml(path)
    try:
        campaign = parse_campaign(document)
    except ValueError as error:
        die(f"{path}: {error}.", f"edit {path}", status=Status.USAGE)
    for cell in campaign.cells:
        _check_names(cell, source)
    return campaign


def read_yaml(path: Path) -> object:
    """Return the document in a file, or die with ``USAGE``."""
    try:
        return cast(object, yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        die(f"{path} cannot be read: {error}.", f"ls -l {path}", status=Status.USAGE)
    except yaml.YAMLError as error:
        die(f"{path} is no YAML.", f"edit {path}", status=Status.USAGE, detail=str(error))


def parse_campaign(document: object) -> Campaign:
    """Unfold a parsed definition. Raises ``ValueError`` for one of the wrong shape."""
    root = _table(document, "a campaign", required={"name", "cells"}, known={"limit"})
    name = root["name"]
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"name is {name!r}, and must be letters, digits, '.', '_' and '-'")
    groups = root["cells"]
    if not isinstance(groups, list) or not groups:
        raise ValueError("cells is not a list of groups")
    limit = _limit(root.get("limit", LIMIT))
    cells = [cell for group in groups for cell in _unfold(group, limit)]
    return Campaign(name, tuple(dict.fromkeys(cells)))


def _unfold(document: object, limit: float) -> list[CampaignCell]:
    group = _table(document, "a group of cells", required={"tests"}, known={*AXES, "limit"})
    own = _limit(group.get("limit", limit))
    axes = [axis for axis in AXES if axis in group]
    values = [[(axis, value) for value in _values(axis, group[axis])] for axis in axes]
    return [
        CampaignCell(tuple(shlex.split(tests)), options, own)
        for tests in _values("tests", group["tests"])
        for options in itertools.product(*values)
    ]


def _table(
    document: object, what: str, *, required: set[str], known: set[str]
) -> Mapping[str, object]:
    if not isinstance(document, dict):
        raise ValueError(f"{what} is not a table")
    keys = set(map(str, document))
    if missing := required - keys:
        raise ValueError(f"{what} has no {', '.join(sorted(missing))}")
    if unknown := keys - required - known:
        names = ", ".join(sorted(required | known))
        raise ValueError(f"{what} has {', '.join(sorted(unknown))}, and knows {names}")
    return document


def _limit(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"limit is {value!r}, and must be seconds")
    return float(value)


def _values(axis: str, given: object) -> list[str]:
    """Return the values of an axis: a list, or one; ``1-20`` is twenty seeds."""
    items = given if isinstance(given, list) else [given]
    values = [value for item in items for value in _unrolled(axis, item)]
    if not values:
        raise ValueError(f"{axis} has no value")
    return values


def _unrolled(axis: str, item: object) -> list[str]:
    if isinstance(item, bool) or not isinstance(item, str | int) or not str(item).strip():
        raise ValueError(f"{axis} has {item!r}, and takes words")
    text = str(item).strip()
    if axis == "seed" and (found := _RANGE.fullmatch(text)):
        return [str(seed) for seed in range(int(found[1]), int(found[2]) + 1)]
    if axis in ("seed", "cpus") and not text.isdecimal():
        raise ValueError(f"{axis} has {item!r}, and takes whole numbers")
    return [text]


def _check_names(cell: CampaignCell, source: Path) -> None:
    """Die for a name that no host would know. ``all`` is none: a cell is one kind of machine."""
    options = dict(cell.options)
    for kind, axis, known in (
        ("image", "image", available_images(source)),
        ("boot profile", "profile", available_profiles(source)),
    ):
        if axis in options and options[axis] not in known:
            unknown_name(kind, options[axis], known)
    if "engine" in options:
        engine_named(options["engine"])
