# SPDX-License-Identifier: BSD-2-Clause
"""One way to fail: a sentence with the cause, the next command to type, a distinct exit status.

Code raises ``LabError`` (usually through ``die``); only ``lab.cli`` turns it into text and a
process status, so the same failure is a clear message on the terminal and a clear error in
pytest.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum
from typing import NoReturn


class Status(IntEnum):
    """Exit status of ``dbos-lab``, by cause; documented in README.md."""

    OK = 0
    FAILED = 1
    """The guest ran, and what was asked of it failed."""
    USAGE = 2
    """Bad input: an unknown name, a malformed file (click uses 2 for the same)."""
    MISSING = 3
    """A capability or a program is missing on this host."""
    IMAGE = 4
    """The guest image could not be built (mirror, disk, package)."""
    BUILD = 5
    """The module, the library or a guest program did not compile."""
    PANICKED = 20
    """The guest's kernel panicked."""
    HUNG = 21
    """Something in the guest did not end in its time, or it gives no sign of life any more."""
    LOST = 22
    """The guest died; its console is kept."""
    SPLAT = 23
    """The guest's kernel complained, whatever else went well."""
    INFRA = 30
    """The host or the lab itself failed, so that nothing is known of the guest."""
    INTERRUPTED = 130
    """Ctrl-C, as a shell reports SIGINT."""


class LabError(Exception):
    """A failure a user can act on.

    ``message`` is one sentence with the cause, ``hint`` the next command to type, ``detail`` the
    evidence (a console tail, a kernel log, a compiler's output), printed verbatim after them.
    """

    def __init__(self, message: str, hint: str, *, status: Status, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.status = status
        self.detail = detail

    def __str__(self) -> str:
        text = f"{self.message}\n  next: {self.hint}"
        return f"{text}\n{self.detail}" if self.detail else text


def die(message: str, hint: str, *, status: Status = Status.FAILED, detail: str = "") -> NoReturn:
    """Raise ``LabError``; reads better at the call site than a ``raise``."""
    raise LabError(message, hint, status=status, detail=detail)


def unknown_name(kind: str, name: str, known: Iterable[str]) -> NoReturn:
    """Die because there is no ``kind`` of that name; suggest the nearest there is."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
    meant = f"; did you mean {near[0]}?" if near else "."
    die(
        f"There is no {kind} named {name!r}{meant}",
        f"choose one of: {', '.join(names) or '(none)'}",
        status=Status.USAGE,
    )
