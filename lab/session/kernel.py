# SPDX-License-Identifier: BSD-2-Clause
"""Choosing kernels by version: ``6.*``, ``6.1``, ``>=6.6``. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping
from fnmatch import fnmatchcase

from lab.errors import Status, die

_COMPARISONS: Mapping[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_COMPARISON = re.compile(r"(>=|<=|==|!=|>|<)(.*)")
_FLAVOUR = re.compile(r"-([a-z]+)(?:-amd64)?$")
"""A word at the end; the architecture, which has digits, is none."""
_VERSION = re.compile(r"\d+(\.\d+)*")


def series(release: str) -> str:
    """Return the series of a kernel release: ``6.1`` for ``6.1.0-56-amd64``."""
    return ".".join(release.split(".")[:2])


def flavour(release: str) -> str:
    """Return what sets a kernel apart from others of its version, as ``debug``; empty for none."""
    found = _FLAVOUR.search(release)
    return found[1] if found else ""


def label(release: str) -> str:
    """Return series and flavour, as test ids show a kernel: ``6.1``, ``6.1-debug``."""
    return "-".join(filter(None, (series(release), flavour(release))))


def check_pattern(pattern: str) -> None:
    """Die with ``USAGE`` for a comparison without a version; everything else is a glob."""
    comparison = _COMPARISON.fullmatch(pattern)
    if comparison and not _VERSION.fullmatch(comparison[2]):
        die(
            f"The kernel {pattern!r} compares with something that is no version.",
            "write it like '>=6.6'",
            status=Status.USAGE,
        )


def matches(release: str, patterns: Iterable[str]) -> bool:
    """Tell whether a kernel release is one that the patterns mean.

    Globs are alternatives, comparisons are conditions: one of the globs must match the release or
    its series, if there are globs, and every comparison must hold. A comparison looks at as many
    numbers as it names, so ``<=6.1`` takes 6.1.56.
    """
    globs = []
    for pattern in patterns:
        comparison = _COMPARISON.fullmatch(pattern)
        if comparison is None:
            globs.append(pattern)
        elif not _COMPARISONS[comparison[1]](*_to_compare(release, comparison[2])):
            return False
    names = (release, series(release))
    return not globs or any(fnmatchcase(name, glob) for glob in globs for name in names)


def _to_compare(release: str, version: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    found = _VERSION.match(release)
    wanted = _numbers(version)
    return (_numbers(found[0]) if found else ())[: len(wanted)], wanted


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
