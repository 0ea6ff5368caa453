# SPDX-License-Identifier: BSD-2-Clause
"""The ``--lab-*`` options: one table. Each is also an ini option and an environment variable.

The command line wins over the environment (``DBOS_LAB_PROFILE`` for ``--lab-profile``), that over
the ini file (``lab_profile``), that over the default.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Option:
    """One option; ``name`` without any prefix."""

    name: str
    default: str
    help: str

    @property
    def flag(self) -> str:
        """As typed on the command line."""
        return f"--lab-{self.name}"

    @property
    def ini(self) -> str:
        """As written in the ini file, and pytest's name for the value of the flag."""
        return f"lab_{self.name}"

    @property
    def environment(self) -> str:
        """As exported in a shell."""
        return f"DBOS_LAB_{self.name.upper()}"


OPTIONS = (
    Option("engine", "", "engine instead of the best that boots: svm-tcg, svm-kvm or vmx-kvm"),
    Option("image", "debian-12", "guest image: a file in images/"),
    Option("profile", "seed,stock", "boot profiles to run every test under, comma-separated"),
    Option("require", "", "comma-separated: a test that would be skipped for one of these fails"),
    Option("cycles", "6", "how many machines test_cycles.py starts and stops"),
)


def add_options(parser: pytest.Parser) -> None:
    """Declare all of them to pytest."""
    group = parser.getgroup("lab", "dbos-lab: guests to test in")
    for option_ in OPTIONS:
        text = f"{option_.help} (default: {option_.default or 'none'})"
        group.addoption(option_.flag, dest=option_.ini, default=None, help=text)
        parser.addini(option_.ini, text, default="")


def option(config: pytest.Config, name: str) -> str:
    """Return the value of an option, from the strongest source that has one."""
    (found,) = (candidate for candidate in OPTIONS if candidate.name == name)
    return str(
        config.getoption(found.ini)
        or os.environ.get(found.environment)
        or config.getini(found.ini)
        or found.default
    )
