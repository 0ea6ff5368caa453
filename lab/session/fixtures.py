# SPDX-License-Identifier: BSD-2-Clause
"""The fixtures: a test names the machine state it needs and gets a machine in just that state."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.options import numbers, option
from lab.session.backend import DUNE, Backend
from lab.session.cell import Cell
from lab.session.collection import node_id_of, preparation_of, state_of
from lab.session.keeper import Keeper, keeper_of
from lab.session.markers import stress_of
from lab.session.plan import plan_of
from lab.session.trial import TRIAL, attended, rehearsed
from lab.state import State

if TYPE_CHECKING:
    from testinfra.host import Host

    from lab.console import Console
    from lab.guest import Guest
    from lab.lab import Booted, Lab
    from lab.run import HelloReport
    from lab.session.dbos import Dbos
    from lab.session.stress import Stressed


@pytest.fixture(scope="session")
def lab_cell(request: pytest.FixtureRequest) -> Cell:
    """The cell of the matrix this test runs in."""
    cell: Cell = request.param
    return cell


@pytest.fixture(scope="session")
def lab_keeper(request: pytest.FixtureRequest) -> Keeper:
    """Whoever provides the machines."""
    return keeper_of(request.config)


@pytest.fixture(scope="session")
def lab(lab_keeper: Keeper, lab_cell: Cell) -> Lab:
    """The cell's engine and image, what was built for it, and a way to more machines."""
    return lab_keeper.lab(lab_cell)


@pytest.fixture
def lab_machine(
    request: pytest.FixtureRequest, lab_keeper: Keeper, lab_cell: Cell
) -> Iterator[Booted]:
    """The test's one machine, in the furthest state that any of its fixtures names."""
    test = request.node
    get = lab_keeper.fresh if test.get_closest_marker("lab_fresh") else lab_keeper.clean

    def machine() -> Booted:
        return get(lab_cell, state_of(test), preparation_of(test))

    with attended(test.stash[TRIAL], lab_keeper, machine) as booted:
        booted.machine.claim(node_id_of(test))
        yield booted
        if option(request.config, "keep") == "all":
            booted.machine.keep("--lab-keep all")


@pytest.fixture
def booted(lab_machine: Booted) -> Booted:
    """A machine that is up."""
    return lab_machine


@pytest.fixture
def guest(lab_machine: Booted) -> Guest:
    """A login on a machine with everything that was built in ``/lab``."""
    return lab_machine.guest


@pytest.fixture
def module_loaded(lab_machine: Booted) -> Guest:
    """The same with dune.ko in the kernel."""
    return lab_machine.guest


@pytest.fixture
def kvm_loaded(lab_machine: Booted) -> Guest:
    """The furthest state that another fixture names, with KVM in the kernel as well."""
    return lab_machine.guest


@pytest.fixture(scope="session")
def backend_name(request: pytest.FixtureRequest) -> str:
    """The hypervisor below libdbos, as ``DBOS_BACKEND`` names it."""
    name: str = getattr(request, "param", DUNE)
    return name


@pytest.fixture
def backend(backend_name: str, module_loaded: Guest) -> Backend:
    """The same once for each hypervisor below libdbos; runs programs on that one."""
    return Backend(backend_name, module_loaded)


@pytest.fixture(scope="session")
def dbos_hello(lab_keeper: Keeper, lab_cell: Cell) -> HelloReport:
    """What ``hello`` says in this cell, run once. If it fails, so does every test on ``dbos``."""
    from lab.session.dbos import checked_hello  # noqa: PLC0415

    def loaded() -> Booted:
        return lab_keeper.clean(lab_cell, State.MODULE_LOADED)

    with rehearsed(lab_keeper, "hello", lab_cell, loaded) as booted:
        return checked_hello(booted.guest)


@pytest.fixture
def dbos(dbos_hello: HelloReport, module_loaded: Guest) -> Dbos:
    """A machine on whose like ``hello`` went well; runs programs of ``/lab``."""
    from lab.session.dbos import Dbos  # noqa: PLC0415

    return Dbos(module_loaded, dbos_hello)


@pytest.fixture
def host(guest: Guest) -> Host:
    """The guest as pytest-testinfra sees it, over the lab's own connection."""
    from lab.testinfra_backend import host_of  # noqa: PLC0415

    return host_of(guest)


@pytest.fixture
def console(lab_machine: Booted) -> Console:
    """The machine's console; ``read_new`` begins where the test begins."""
    console = lab_machine.machine.console
    console.read_new()
    return console


@pytest.fixture
def results_dir(lab_machine: Booted, request: pytest.FixtureRequest) -> Path:
    """A directory for what the test wants to leave; kept when the machine's is."""
    path: Path = request.node.stash[TRIAL].artefacts(lab_machine)
    path.mkdir(parents=True, exist_ok=True)
    return path


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The test's own seed, from ``--lab-seed`` and its name."""
    return plan_of(request.config).seed_for(node_id_of(request.node))


@pytest.fixture
def stress(
    request: pytest.FixtureRequest, lab_keeper: Keeper, lab_cell: Cell, seed: int
) -> Stressed:
    """How long to go on, from ``lab_stress``; runs random operations and cuts failures down."""
    from lab.session.stress import Stressed  # noqa: PLC0415

    test = request.node
    chosen = numbers(request.config, "steps")
    trial = test.stash[TRIAL]
    return Stressed(stress_of(test), lab_keeper, lab_cell, trial, seed=seed, chosen=chosen)
