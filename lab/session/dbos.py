# SPDX-License-Identifier: BSD-2-Clause
"""Programs of ``/lab`` on a machine whose dune.ko is known to work."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.command import Result
from lab.deploy import DIRECTORY
from lab.run import HelloReport, parse_hello

if TYPE_CHECKING:
    from lab.guest import Guest


@dataclass(frozen=True)
class Dbos:
    """A guest with dune.ko in its kernel, and what ``hello`` said on one just like it."""

    guest: Guest
    hello: HelloReport

    def run(
        self, program: str, *arguments: object, timeout: float | None = None, check: bool = True
    ) -> Result:
        """Run ``/lab/PROGRAM``; with ``check`` a status other than 0 dies with ``FAILED``."""
        words = (str(DIRECTORY / program), *map(str, arguments))
        return self.guest.run(shlex.join(words), timeout=timeout, check=check)


def checked_hello(guest: Guest) -> HelloReport:
    """Run ``hello``; die unless all that it tries goes well."""
    return parse_hello(guest.run(f"{DIRECTORY}/hello", check=True).text)
