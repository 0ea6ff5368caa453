# SPDX-License-Identifier: BSD-2-Clause
"""The lab's own keeper: machines by cell, and what the doctor says of their engines."""

from __future__ import annotations

from functools import cached_property

from lab.config import Config
from lab.doctor.diagnosis import usable_engines
from lab.doctor.memory import recall
from lab.doctor.verdict import EngineProbe
from lab.engine import ENGINES
from lab.errors import LabError
from lab.lab import Booted, Lab
from lab.reset import Clean, Keeper, policy_of, steps_of
from lab.session.cell import BEST, Cell
from lab.state import Preparation, State


class LabKeeper:
    """Keeps one machine, of the cell whose tests run now.

    Not one per cell: a host has room for a few machines only, and tests come in order of cells.
    """

    def __init__(self, config: Config, timeout_factor: float = 1.0) -> None:
        self._config = config
        self._timeout_factor = timeout_factor
        self._labs: dict[tuple[str, str], Lab] = {}
        self._cell: Cell | None = None
        self._keeper: Keeper | None = None

    @cached_property
    def _probes(self) -> tuple[EngineProbe, ...]:
        """Everything the doctor knows, also of engines that do not boot here."""
        usable = usable_engines(self._config)
        return recall(self._config) or usable

    def unavailable(self, cell: Cell) -> str | None:
        """Say in a clause why this host cannot have such a machine; ``None`` if it can."""
        try:
            probe = self._probe(cell)
        except LabError as error:
            return error.message.rstrip(".")
        if probe is None:
            names = ", ".join(probe.engine.name for probe in self._probes)
            return f"the doctor looked at {names}"
        return None if probe.usable else probe.reason

    def capabilities(self, cell: Cell) -> frozenset[str]:
        """Return what the cell's engine has, in the words of ``lab_requires``."""
        probe = self._probe(cell)
        if probe is None:
            return frozenset()
        engine = probe.engine
        flags = probe.features.flags if probe.features else frozenset()
        return frozenset({engine.name, engine.vendor.value, engine.accelerator.value}) | flags

    def _probe(self, cell: Cell) -> EngineProbe | None:
        """Return what the doctor found out about the cell's engine."""
        if cell.engine == BEST:
            usable = {probe.engine: probe for probe in self._probes if probe.usable}
            return next((usable[engine] for engine in ENGINES if engine in usable), None)
        return next((probe for probe in self._probes if probe.engine.name == cell.engine), None)

    def lab(self, cell: Cell) -> Lab:
        """Return the engine, the image and what was built for it."""
        key = cell.image, cell.engine
        if key not in self._labs:
            engine = None if cell.engine == BEST else cell.engine
            self._labs[key] = Lab(
                self._config,
                image_name=cell.image,
                engine_name=engine,
                timeout_factor=self._timeout_factor,
            )
        return self._labs[key]

    def clean(self, cell: Cell, state: State, preparation: Preparation | None = None) -> Booted:
        """Return a machine in exactly this state, whatever the test before did to it."""
        return self.given(cell, state, preparation).booted

    def given(self, cell: Cell, state: State, preparation: Preparation | None = None) -> Clean:
        """Return the same with how it came about, for who tests the lab itself."""
        return self._keeper_of(cell).clean(state, preparation)

    def fresh(self, cell: Cell, state: State, preparation: Preparation | None = None) -> Booted:
        """Return a machine that was booted for this call, and nothing restored on it since."""
        return self._keeper_of(cell).clean(state, preparation, fresh=True).booted

    def discard(self, booted: Booted) -> None:
        """See that no other test meets the machine as it is now."""
        if self._keeper is not None:
            self._keeper.discard(booted)

    def close(self) -> None:
        """End the machine, if there is one."""
        if self._keeper is not None:
            self._keeper.close()
        self._cell = self._keeper = None

    def _keeper_of(self, cell: Cell) -> Keeper:
        if self._keeper is None or self._cell != cell:
            self.close()
            lab = self.lab(cell)
            _ = lab.artefacts  # compiled now, so that no machine waits for a compiler
            profile = lab.profile(cell.profile)
            self._keeper = Keeper(
                lambda snapshot: lab.booted(profile, cpus=cell.cpus, snapshot=snapshot),
                steps_of(lab),
                policy_of(lab.engine),
            )
            self._cell = cell
        return self._keeper
