# SPDX-License-Identifier: BSD-2-Clause
"""Where things live on this host. The one place that reads the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import Status, die

DEFAULT_IMAGE = "debian-12"
DEFAULT_PROFILE = "seed"


@dataclass(frozen=True)
class Config:
    """Paths of one lab; every other module gets what it needs from here by argument."""

    source: Path
    """The checkout, or what of it a wheel has: ``kern/``, ``libdbos/``, ``images/``, ``tests/``."""
    cache: Path
    """Content-addressed build products; safe to delete at any time."""
    runs: Path
    """One directory per machine that was started: console, records. Kept when a run fails."""

    pin: tuple[int, ...] = ()
    """This host's processors for those of machines, in turn; without any the host decides."""

    @property
    def sessions(self) -> Path:
        """One directory per test session: results, report."""
        return self.cache / "sessions"

    @property
    def conformance(self) -> Path:
        """What conformance came to, a file for each engine; of this checkout if there is one."""
        checkout = (self.source / "Makefile").is_file()
        return self.source / "build/conformance" if checkout else self.cache / "conformance"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Config:
        """Follow the XDG base directories; ``DBOS_LAB_CACHE`` and ``DBOS_LAB_RUNS`` override.

        ``DBOS_LAB_PIN=2,3`` pins machines. Dies with ``USAGE`` if that is not understood.
        """
        env = os.environ if environ is None else environ
        base = Path(env.get("XDG_CACHE_HOME") or Path(env.get("HOME", "/root")) / ".cache")
        cache = Path(env.get("DBOS_LAB_CACHE") or base / "dbos-lab")
        return cls(
            source=source_of(Path(__file__).resolve().parent),
            cache=cache,
            runs=Path(env.get("DBOS_LAB_RUNS") or cache / "runs"),
            pin=_processors(env.get("DBOS_LAB_PIN", "")),
        )


def source_of(package: Path) -> Path:
    """Return where the sources are for a lab that is installed as ``package``.

    A wheel has them inside (``setup.py``); in a checkout they are around it.
    """
    inside = package / "sources"
    return inside if inside.is_dir() else package.parent


def _processors(text: str) -> tuple[int, ...]:
    words = text.replace(",", " ").split()
    if not all(word.isdecimal() for word in words):
        die(
            f"DBOS_LAB_PIN is {text!r}, and must be numbers of processors.",
            "export DBOS_LAB_PIN=2,3  # `lscpu --extended` lists them",
            status=Status.USAGE,
        )
    return tuple(int(word) for word in words)
