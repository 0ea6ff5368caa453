# SPDX-License-Identifier: BSD-2-Clause
"""How far a machine has come when a test gets it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.guest import Guest


class State(IntEnum):
    """What a machine is before a test begins. Each state contains those before it."""

    BOOTED = 1
    """The guest is up and takes commands."""
    GUEST = 2
    """The module and the programs lie in ``/lab``."""
    MODULE_LOADED = 3
    """dune.ko is in the kernel. No VM exists, so no processor is in SVM or VMX operation."""

    @property
    def fixture(self) -> str:
        """The fixture that stands for it."""
        return self.name.lower()


@dataclass(frozen=True)
class Preparation:
    """A state of a suite's own: what it does to a clean machine, once for all its tests.

    It is saved like the lab's states, under ``name``, so it must leave no hypervisor in operation.
    """

    name: str
    take: Callable[[Guest], object]
