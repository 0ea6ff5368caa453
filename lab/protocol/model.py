# SPDX-License-Identifier: BSD-2-Clause
"""What a model of docs/models is to the lab: sizes to search, and faults that must be found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import KW_ONLY, dataclass


@dataclass(frozen=True)
class Size(ABC):
    """One search: how large the model is."""

    name: str
    title: str
    _: KW_ONLY
    runs_for_ever: bool = False
    """Not every run ends, and what must come of each is the model's LTL property."""
    large: bool = False
    """Takes longer than CI has time for."""
    complete: bool = False
    """Some run comes to every statement."""

    @abstractmethod
    def definitions(self) -> dict[str, str]:
        """Return the macros that make the model this large."""


@dataclass(frozen=True)
class Fault:
    """One switch of the model.

    ``size`` is the name of that where it is looked for. ``violates`` is the name of an assertion
    of the model's oracle.pml, ``deadlock``, or ``cycle``: a run in which what must come of it never
    does. ``published`` are faults of the published prototype or algorithm; each other is the
    protocol without one of its parts.
    """

    switch: str
    title: str
    size: str
    violates: str
    published: bool = False


@dataclass(frozen=True)
class Model:
    """A model. Its parts are in a folder beside it, of its name."""

    name: str
    path: str
    sizes: tuple[Size, ...]
    faults: tuple[Fault, ...]

    def size_named(self, name: str) -> Size:
        """Return one of its sizes."""
        return next(size for size in self.sizes if size.name == name)
