# SPDX-License-Identifier: BSD-2-Clause
"""What a session is going to do: its cells and its seed, decided once.

Under pytest-xdist the controller decides and its workers are told: what they would look up for
themselves (a probe's result, a built image) may change while they start, and then their test ids
would differ.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

from lab.config import Config
from lab.errors import LabError, Status, unknown_name
from lab.options import factor, number, numbers, option, words
from lab.session.cell import Cell
from lab.session.markers import capabilities

KEEP = ("failed", "all")
WIRE = "dbos_lab_plan"
"""Name of the plan in what the controller tells a worker."""


@dataclass(frozen=True)
class Plan:
    """The cells in their order, and the number that decides every random choice."""

    cells: tuple[Cell, ...]
    seed: int

    def seed_for(self, node_id: str) -> int:
        """Return a test's own seed: the same whichever tests run before it, or beside it."""
        digest = hashlib.sha256(f"{self.seed} {node_id}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def to_wire(self) -> str:
        """Write it down for a worker."""
        return json.dumps(asdict(self))

    @classmethod
    def from_wire(cls, text: str) -> Plan:
        """Read what ``to_wire`` wrote."""
        plan = json.loads(text)
        return cls(tuple(Cell(**cell) for cell in plan["cells"]), plan["seed"])


PLAN = pytest.StashKey[Plan]()


def plan_of(config: pytest.Config) -> Plan:
    """Return the session's plan, made at the first call. Wrong options are usage errors."""
    if PLAN not in config.stash:
        told = getattr(config, "workerinput", {}).get(WIRE)
        config.stash[PLAN] = Plan.from_wire(told) if told else _decide(config)
    return config.stash[PLAN]


def _decide(config: pytest.Config) -> Plan:
    from lab.session.matrix import cells_of  # noqa: PLC0415 (not for `pytest --help`)

    factor(config, "timeout-factor")
    numbers(config, "steps")
    if option(config, "keep") not in KEEP:
        raise pytest.UsageError(f"--lab-keep takes one of {', '.join(KEEP)}")
    record = option(config, "record")
    if record and (Path(record) / "session.json").exists():
        raise pytest.UsageError(f"--lab-record: {record} has the record of a session already")
    seed = number(config, "seed", 0) if option(config, "seed") else secrets.randbelow(2**32)
    try:
        _check_required(config)
        cells = cells_of(config, Config.from_environment())
    except LabError as error:
        if error.status is Status.USAGE:
            raise pytest.UsageError(str(error)) from error
        raise
    return Plan(cells, seed)


def _check_required(config: pytest.Config) -> None:
    if required := words(config, "require"):
        known = capabilities()
        for name in required:
            if name not in known:
                unknown_name("capability", name, known)


def describe(plan: Plan) -> str:
    """Say in one line what the results will be worth: kernels, engines, profiles, seed."""
    kinds = ", ".join(dict.fromkeys(f"{_image(cell)} on {cell.engine}" for cell in plan.cells))
    profiles = ", ".join(dict.fromkeys(cell.profile for cell in plan.cells))
    return f"lab: {kinds}; profiles {profiles}; seed {plan.seed}"


def _image(cell: Cell) -> str:
    if not cell.digest:
        return f"{cell.image}, not built yet,"
    return f"{cell.image} {cell.digest[:16]} (kernel {cell.kernel})"
