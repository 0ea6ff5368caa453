# SPDX-License-Identifier: BSD-2-Clause
"""The ``--lab-*`` options: one table. Each is also an ini option and an environment variable.

The command line wins over the environment (``DBOS_LAB_PROFILE`` for ``--lab-profile``), that over
the ini file (``lab_profile``), that over the default. README.md shows this table as
``markdown_table`` prints it.
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
        return f"lab_{self.name}".replace("-", "_")

    @property
    def environment(self) -> str:
        """As exported in a shell."""
        return f"DBOS_{self.ini}".upper()


ALL = "all"
"""In place of a list of names: every one there is."""

OPTIONS = (
    Option("engine", "", "engines, comma-separated, or `all`; without it the best that boots"),
    Option("image", "", "guest images, files in `images/`, comma-separated, or `all`"),
    Option("kernel", "", "of these images those whose kernel is one of `6.*`, `>=6.6`, ..."),
    Option("profile", "seed,stock", "boot profiles, comma-separated, or `all`"),
    Option("cpus", "2", "processors of each machine"),
    Option("require", "", "capabilities whose absence is a failure, not a skip"),
    Option("seed", "", "number that decides every random choice; without it a new one"),
    Option("steps", "", "of a stress test's plan only these steps, as in `3,17,90`"),
    Option("record", "", "directory for the record of the session, with a machine or without one"),
    Option("keep", "failed", "directories of machines to keep: `failed` or `all`"),
    Option("cycles", "6", "how many machines test_cycles.py starts and stops"),
    Option("creations", "300", "how many VMs test_lifecycle.py makes, how often test_flat enters"),
    Option("processes", "16", "how many processes with a VM of their own it starts at once"),
    Option("rounds", "4", "how many rounds of test_fuzz.py, of a quarter of a minute each"),
    Option("snapshots", "300", "how many snapshots of each engine test_snapshot_soak.py makes"),
    Option("interleavings", "1", "in how many orders of turns test_interleavings.py has Bochs run"),
    Option("seconds", "5", "for how long it takes one every millisecond"),
    Option("timeout-factor", "1", "multiplies every deadline"),
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


def words(config: pytest.Config, name: str) -> tuple[str, ...]:
    """Return the value of an option that is a list."""
    return tuple(word for word in option(config, name).replace(",", " ").split() if word)


def number(config: pytest.Config, name: str, least: int) -> int:
    """Return the value of an option that is a whole number; another is a ``UsageError``."""
    value = option(config, name)
    if not value.isdecimal() or int(value) < least:
        raise pytest.UsageError(f"--lab-{name} takes a whole number from {least}, not {value!r}")
    return int(value)


def numbers(config: pytest.Config, name: str) -> tuple[int, ...]:
    """Return the value of an option that is a list of whole numbers, or raise ``UsageError``."""
    given = words(config, name)
    if not all(word.isdecimal() for word in given):
        raise pytest.UsageError(f"--lab-{name} takes whole numbers, not {' '.join(given)!r}")
    return tuple(int(word) for word in given)


def factor(config: pytest.Config, name: str) -> float:
    """Return the value of an option that is a positive factor; another is a ``UsageError``."""
    value = option(config, name)
    try:
        if 0 < (parsed := float(value)) < float("inf"):
            return parsed
    except ValueError:
        pass
    raise pytest.UsageError(f"--lab-{name} takes a positive number, not {value!r}")


def markdown_table() -> str:
    """Lay the options out for README.md."""
    lines = [
        "| option, also as ini option and environment variable | default | meaning |",
        "|---|---|---|",
    ]
    for one in OPTIONS:
        names = f"`{one.flag}`, `{one.ini}`, `{one.environment}`"
        default = f"`{one.default}`" if one.default else ""
        lines.append(f"| {names} | {default} | {one.help} |")
    return "\n".join(lines) + "\n"
