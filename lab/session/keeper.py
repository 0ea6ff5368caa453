# SPDX-License-Identifier: BSD-2-Clause
"""Where tests get their machines from: what the plugin needs, and the hook that provides it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from lab.lab import Booted, Lab
    from lab.session.cell import Cell
    from lab.state import Preparation, State


class Keeper(Protocol):
    """Keeps the machines of one process of a session. Used by one thread."""

    def unavailable(self, cell: Cell) -> str | None:
        """Say in a clause why this host cannot have such a machine; ``None`` if it can.

        The first call may probe, which takes seconds.
        """

    def capabilities(self, cell: Cell) -> frozenset[str]:
        """Return what the cell's engine has, in the words of ``lab_requires``."""

    def lab(self, cell: Cell) -> Lab:
        """Return the engine, the image and what was built for it."""

    def clean(self, cell: Cell, state: State, preparation: Preparation | None = None) -> Booted:
        """Return a machine in exactly this state, whatever the test before did to it."""

    def fresh(self, cell: Cell, state: State, preparation: Preparation | None = None) -> Booted:
        """Return a machine that was booted for this call, and nothing restored on it since."""

    def discard(self, booted: Booted) -> None:
        """See that no other test meets the machine as it is now."""

    def close(self) -> None:
        """End all machines."""


class Hooks(Protocol):
    """The hooks that this plugin calls: what they are asked, and nothing to run."""

    @pytest.hookspec(firstresult=True)
    def pytest_lab_keeper(self, config: pytest.Config) -> Keeper:
        """Make the keeper of this process's machines; called at most once, by the first test.

        The default is the lab's own. A ``conftest.py`` that has another way to get machines
        implements this.
        """


KEEPER = pytest.StashKey[Keeper]()


def keeper_of(config: pytest.Config) -> Keeper:
    """Return the keeper of this process, made at the first call and closed when pytest ends."""
    keeper = config.stash.get(KEEPER, None)
    if keeper is None:
        keeper = config.hook.pytest_lab_keeper(config=config)
        config.stash[KEEPER] = keeper
        config.add_cleanup(keeper.close)
    return keeper
