# SPDX-License-Identifier: BSD-2-Clause
"""How far a machine has come when a test gets it."""

from __future__ import annotations

from enum import IntEnum


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
