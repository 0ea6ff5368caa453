# SPDX-License-Identifier: BSD-2-Clause
"""The pytest plugin: a test names the machine state it needs and gets it, clean.

    def test_mine(module_loaded):
        assert module_loaded.run("/lab/hello").status == 0

``booted`` is a machine that is up, ``guest`` a login on one with everything that was built in
``/lab``, ``module_loaded`` that with dune.ko in the kernel, ``dbos`` that after a ``hello`` went
well, ``host`` pytest-testinfra's view of the guest. Every such test runs in each cell of the
matrix image x engine x profile (``lab.session.matrix``), on a machine that no other test has left
a trace on, and gets exactly one verdict (``lab.session.judging``): where the guest's kernel
warned, it fails, whatever it asserted.

This module only connects pytest with ``lab.session``. Nothing here may be slow: it is loaded by
every pytest on this machine.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lab.config import Config
from lab.options import add_options, factor, option
from lab.session import collection, fixtures, judging
from lab.session.availability import demand
from lab.session.keeper import Hooks, Keeper, keeper_of
from lab.session.markers import MARKERS
from lab.session.plan import WIRE, Plan, describe, plan_of
from lab.session.summary import write_summary

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the ``--lab-*`` options."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hook through which another keeper of machines can take the lab's place."""
    pluginmanager.add_hookspecs(Hooks)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers, the judge, and the fixtures.

    The latter after pytest-testinfra, so that of two fixtures named ``host`` ours is the one found.
    """
    for marker in MARKERS:
        config.addinivalue_line("markers", f"{marker.usage}: {marker.help}")
    config.pluginmanager.register(judging, "dbos_lab_judging")
    config.pluginmanager.register(fixtures, "dbos_lab_fixtures")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Decide what to do, so that a wrong option is told before anything is collected."""
    plan = plan_of(session.config)
    if hasattr(session.config, "workerinput"):
        return  # the controller writes it down
    from lab.report.recorder import Recorder  # noqa: PLC0415

    lab_config = Config.from_environment()
    record = option(session.config, "record")
    recorder = Recorder(
        lab_config.sessions,
        lambda: session_facts(lab_config, plan),
        Path(record) if record else None,
    )
    session.config.pluginmanager.register(recorder, "dbos_lab_recorder")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: object) -> None:
    """Tell a worker of pytest-xdist what was decided."""
    node.workerinput[WIRE] = plan_of(node.config).to_wire()  # type: ignore[attr-defined]


def pytest_report_header(config: pytest.Config) -> str:
    """Say what the results will be worth."""
    return describe(plan_of(config))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make each test that takes a machine once per cell."""
    collection.parametrize(metafunc)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the tests in an order in which one machine serves many in a row."""
    collection.arrange(config, items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this host cannot do, before anything is set up for it."""
    cell = collection.cell_of(item)
    if cell is not None:
        demand(item, cell, keeper_of(item.config))


@pytest.hookimpl(trylast=True)
def pytest_lab_keeper(config: pytest.Config) -> Keeper:
    """Provide the lab's own machines."""
    from lab.session.machines import LabKeeper  # noqa: PLC0415 (heavy)

    return LabKeeper(Config.from_environment(), factor(config, "timeout-factor"))


def session_facts(lab_config: Config, plan: Plan) -> dict[str, object]:
    """Return what a session's record says of it besides its tests."""
    from lab.report.facts import current_facts  # noqa: PLC0415

    facts = current_facts(lab_config)
    return {
        **facts,
        "command": shlex.join(sys.argv),
        "seed": plan.seed,
        "cells": [cell.id for cell in plan.cells],
    }


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """List what went wrong, and how to run it again."""
    write_summary(terminalreporter)
