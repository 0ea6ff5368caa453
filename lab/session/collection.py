# SPDX-License-Identifier: BSD-2-Clause
"""Tests meet cells: each test that takes a machine is made once per cell, and put in order."""

from __future__ import annotations

import pytest

from lab.session.backend import DUNE, KVM, load_kvm
from lab.session.cell import Cell
from lab.session.markers import DESTRUCTIVE, TOGETHER, check_markers, narrowed
from lab.session.plan import plan_of
from lab.state import Preparation, State

CELL = "lab_cell"
"""The fixture that every other one of a machine depends on."""
BACKEND = "backend_name"
"""The fixture that says on which hypervisor a test's programs enter."""
WITH_KVM = "kvm_loaded"
"""The fixture that asks for KVM in the guest's kernel."""


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Make a test that takes a machine once per cell on which it makes sense."""
    if CELL not in metafunc.fixturenames:
        return
    cells = narrowed(plan_of(metafunc.config).cells, metafunc.definition)
    # For `--dist loadgroup`: the tests of a cell stay on one worker, and on its machine.
    grouped = metafunc.config.pluginmanager.hasplugin("xdist")
    marks = {cell: [pytest.mark.xdist_group(cell.id)] if grouped else [] for cell in cells}
    if BACKEND in metafunc.fixturenames and cells:
        pairs = [
            pytest.param(name, cell, id=f"{name}-{cell.id}", marks=marks[cell])
            for name, cell in _on_backends(cells)
        ]
        metafunc.parametrize((BACKEND, CELL), pairs, scope="session", indirect=True)
        return
    values = [pytest.param(cell, id=cell.id, marks=marks[cell]) for cell in cells]
    if not cells:
        reason = "no cell of this session fits its lab_boot and lab_kernel markers"
        values = [pytest.param(None, id="none", marks=pytest.mark.skip(reason=reason))]
    metafunc.parametrize(CELL, values, scope="session", indirect=True)


def _on_backends(cells: tuple[Cell, ...]) -> list[tuple[str, Cell]]:
    """Pair cells with what libdbos is to stand on there: on KVM only in the first of a kernel's.

    It looks the same from all boot profiles. Under Bochs no interrupt ends a stay of KVM's guests.
    """
    pairs = [(DUNE, cell) for cell in cells]
    met = set()
    for cell in cells:
        if (cell.image, cell.engine) not in met and not cell.engine.endswith("bochs"):
            pairs.append((KVM, cell))
        met.add((cell.image, cell.engine))
    return pairs


def cell_of(item: pytest.Item) -> Cell | None:
    """Return the cell a test runs on; ``None`` if it takes no machine."""
    callspec = getattr(item, "callspec", None)
    cell = callspec.params.get(CELL) if callspec else None
    return cell if isinstance(cell, Cell) else None


def node_id_of(item: pytest.Item) -> str:
    """Return a test's id as it can be typed, without what ``--dist loadgroup`` adds to it."""
    cell = cell_of(item)
    return item.nodeid.removesuffix(f"@{cell.id}") if cell else item.nodeid


def state_of(item: pytest.Item) -> State:
    """Return the furthest state among the fixtures a test takes."""
    names = getattr(item, "fixturenames", ())
    return next((state for state in reversed(State) if state.fixture in names), State.BOOTED)


def preparation_of(item: pytest.Item) -> Preparation | None:
    """Return what a test needs besides its state: KVM, if it asks for it or enters on it."""
    callspec = getattr(item, "callspec", None)
    backend = callspec.params.get(BACKEND) if callspec else None
    wanted = backend == KVM or WITH_KVM in getattr(item, "fixturenames", ())
    return Preparation("kvm", load_kvm) if wanted else None


def arrange(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the tests so that one machine serves as many in a row as can be.

    Cell by cell; in each, first the tests that share what the first of them finds out (pytest-xdist
    lets an idle worker take tests from the end of another's, and it would have to find that out
    again), then the others that leave the machine to the next. Tests that take no machine keep
    their place before all others. Markers are checked here, where a mistake is still a usage error.
    """
    from lab.config import Config  # noqa: PLC0415
    from lab.profile import available_profiles  # noqa: PLC0415

    if any(mark.name.startswith("lab_") for item in items for mark in item.iter_markers()):
        profiles = available_profiles(Config.from_environment().source)
        for item in items:
            check_markers(item, profiles)
    cells = (None, *plan_of(config).cells)
    items.sort(key=lambda item: (cells.index(cell_of(item)), _rank(item)))


def _rank(item: pytest.Item) -> int:
    if item.get_closest_marker(TOGETHER):
        return 0
    return 2 if _is_destructive(item) else 1


def _is_destructive(item: pytest.Item) -> bool:
    return cell_of(item) is not None and any(
        mark.name in DESTRUCTIVE for mark in item.iter_markers()
    )
