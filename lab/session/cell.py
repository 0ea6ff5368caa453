# SPDX-License-Identifier: BSD-2-Clause
"""One cell of the matrix: the kind of machine a test runs on."""

from __future__ import annotations

from dataclasses import dataclass

BEST = "best"
"""In place of an engine's name: the best that boots here, found out when it is needed."""


@dataclass(frozen=True)
class Cell:
    """What kind of machine. Equal cells make equal machines."""

    image: str
    kernel: str
    """The release of the image's kernel; empty while nobody can know it without building."""
    label: str
    """The kernel as test ids show it, as ``6.1``; the same in every run."""
    engine: str
    """A name from ``lab.engine``, or ``BEST``."""
    profile: str
    cpus: int = 2
    digest: str = ""
    """Of the image; empty as ``kernel`` is."""

    @property
    def id(self) -> str:
        """As in the brackets behind a test's name."""
        return f"{self.label}/{self.engine}/{self.profile}"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The options that make this cell the only one of a session."""
        return (
            *("--lab-image", self.image),
            *("--lab-engine", self.engine),
            *("--lab-profile", self.profile),
            *("--lab-cpus", str(self.cpus)),
        )
