# SPDX-License-Identifier: BSD-2-Clause
"""The markers: what each takes, and what it says of a test. A mistake in one is a usage error."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import pytest

from lab.engine import ENGINES
from lab.errors import LabError, unknown_name
from lab.session.cell import Cell
from lab.session.kernel import check_pattern, matches

if TYPE_CHECKING:
    from lab.verdict.verdict import Expectation


@dataclass(frozen=True)
class Marker:
    """One marker; ``usage`` and ``help`` are what ``pytest --markers`` shows."""

    usage: str
    help: str
    check: Callable[[pytest.Mark, Sequence[str]], None]
    """Raises ``ValueError`` or ``LabError`` for wrong arguments; gets the profiles' names too."""

    @property
    def name(self) -> str:
        """As in ``pytest.mark.NAME``."""
        return self.usage.partition("(")[0]


@dataclass(frozen=True)
class Stress:
    """How long a stress test goes on: so many seconds or so many operations."""

    seconds: float | None = None
    operations: int | None = None


def capabilities() -> frozenset[str]:
    """Return what ``lab_requires`` and ``--lab-require`` know: vendors, engines, CPU features."""
    from lab.doctor.features import FLAGS  # noqa: PLC0415 (only for those who ask)

    names = {name for engine in ENGINES for name in (engine.name, engine.vendor.value)}
    return frozenset({*names, *(engine.accelerator.value for engine in ENGINES), *FLAGS})


def _check_words(mark: pytest.Mark, kind: str, known: Iterable[str]) -> None:
    if mark.kwargs or not mark.args:
        raise ValueError("takes one name or more, and no keywords")
    for word in mark.args:
        if word not in known:
            unknown_name(kind, str(word), known)


def _check_requires(mark: pytest.Mark, _profiles: Sequence[str]) -> None:
    _check_words(mark, "capability", capabilities())


def _check_boot(mark: pytest.Mark, profiles: Sequence[str]) -> None:
    _check_words(mark, "boot profile", profiles)


def _check_kernel(mark: pytest.Mark, _profiles: Sequence[str]) -> None:
    if mark.kwargs or not mark.args or not all(isinstance(arg, str) for arg in mark.args):
        raise ValueError("takes globs and comparisons, as in ('6.*', '>=6.6')")
    for pattern in mark.args:
        check_pattern(pattern)


def _check_title(mark: pytest.Mark, _profiles: Sequence[str]) -> None:
    if mark.kwargs or len(mark.args) != 1 or not isinstance(mark.args[0], str):
        raise ValueError("takes one regular expression for the title")
    try:
        re.compile(mark.args[0])
    except re.error as error:
        raise ValueError(f"{mark.args[0]!r} is no regular expression: {error}") from error


def _check_nothing(mark: pytest.Mark, _profiles: Sequence[str]) -> None:
    if mark.args or mark.kwargs:
        raise ValueError("takes no arguments")


def _check_stress(mark: pytest.Mark, _profiles: Sequence[str]) -> None:
    allowed = {"seconds": (int, float), "operations": (int,)}
    for name in mark.kwargs:
        if name not in allowed:
            unknown_name("keyword of lab_stress", name, allowed)
    ((name, value),) = mark.kwargs.items() if len(mark.kwargs) == 1 else (("", 0),)
    if mark.args or not name or not isinstance(value, allowed[name]) or value <= 0:
        raise ValueError("takes either seconds=N or operations=N, more than 0")


MARKERS = (
    Marker("lab_requires(name, ...)", "skip unless the engine has svm, vmx, ...", _check_requires),
    Marker("lab_kernel(pattern, ...)", "only on kernels like '6.*' or '>=6.6'", _check_kernel),
    Marker("lab_boot(profile, ...)", "only under these boot profiles", _check_boot),
    Marker("lab_expect_panic(title)", "passes if the kernel panics so", _check_title),
    Marker("lab_expect_splat(title)", "passes if the kernel complains so", _check_title),
    Marker("lab_fresh()", "on a newly booted machine, not a restored one", _check_nothing),
    Marker("lab_together()", "before others: what one finds out is good for all", _check_nothing),
    Marker("lab_stress(seconds=N | operations=N)", "how long `stress` goes on", _check_stress),
)

TOGETHER = "lab_together"
DESTRUCTIVE = frozenset({"lab_fresh", "lab_expect_panic", "lab_expect_splat"})
"""Tests marked so do not leave their machine to the next test."""


def check_markers(item: pytest.Item, profiles: Sequence[str]) -> None:
    """Raise ``UsageError`` for a ``lab_`` marker that does not exist or has wrong arguments."""
    known: Mapping[str, Marker] = {marker.name: marker for marker in MARKERS}
    for mark in item.iter_markers():
        if not mark.name.startswith("lab_"):
            continue
        try:
            if mark.name not in known:
                unknown_name("marker", mark.name, known)
            known[mark.name].check(mark, profiles)
        except (ValueError, LabError) as error:
            _refuse(item, mark, error)


def _refuse(item: pytest.Item, mark: pytest.Mark, error: ValueError | LabError) -> NoReturn:
    raise pytest.UsageError(f"{item.nodeid}: the marker {mark.name}: {error}") from error


def arguments(node: pytest.Item | pytest.Function, name: str) -> tuple[str, ...]:
    """Return the arguments of all markers of that name on a test and around it."""
    return tuple(str(arg) for mark in node.iter_markers(name) for arg in mark.args)


def narrowed(cells: Sequence[Cell], node: pytest.Function) -> tuple[Cell, ...]:
    """Return the cells on which a test makes sense; wrong arguments are found out later."""
    boot = node.get_closest_marker("lab_boot")
    kernel = node.get_closest_marker("lab_kernel")
    return tuple(
        cell
        for cell in cells
        if (boot is None or cell.profile in boot.args)
        and (kernel is None or _kernel_fits(cell, kernel.args))
    )


def _kernel_fits(cell: Cell, patterns: Sequence[object]) -> bool:
    try:
        return matches(cell.kernel, [str(pattern) for pattern in patterns])
    except ValueError:
        return True


def stress_of(node: pytest.Item) -> Stress:
    """Return how long a stress test goes on; nothing is decided without the marker."""
    marker = node.get_closest_marker("lab_stress")
    return Stress(**marker.kwargs) if marker else Stress()


def expectations(node: pytest.Item) -> tuple[Expectation, ...]:
    """Return what the kernel is meant to do during a test."""
    from lab.verdict.verdict import Expectation, Verdict  # noqa: PLC0415 (at run time only)

    meant = {"lab_expect_panic": Verdict.PANICKED, "lab_expect_splat": Verdict.SPLAT}
    return tuple(
        Expectation(verdict, mark.args[0])
        for name, verdict in meant.items()
        for mark in node.iter_markers(name)
    )
