# SPDX-License-Identifier: BSD-2-Clause
"""Whether a test can run in its cell on this host, and whether it may be skipped if not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest

from lab.options import words
from lab.session.cell import BEST, Cell
from lab.session.markers import arguments, capabilities
from lab.session.trial import Ruled

if TYPE_CHECKING:
    from lab.session.keeper import Keeper


def demand(item: pytest.Item, cell: Cell, keeper: Keeper) -> None:
    """Skip, saying why, a test whose cell or whose ``lab_requires`` this host lacks.

    Where ``--lab-require`` names what is lacking, fail instead.
    """
    required = words(item.config, "require")
    reason = keeper.unavailable(cell)
    if reason is not None:
        _give_up(f"{cell.engine} is not to be had here: {reason}", _names(cell), required)
    wanted = arguments(item, "lab_requires")
    missing = [name for name in wanted if name not in keeper.capabilities(cell)]
    if missing:
        _give_up(f"needs {', '.join(missing)}; {cell.engine} has none", missing, required)


def _names(cell: Cell) -> frozenset[str]:
    """Everything a cell stands for: ``svm-kvm`` is also ``svm`` and ``kvm``.

    Where not even one engine is to be had, everything is lacking.
    """
    if cell.engine == BEST:
        return capabilities()
    return frozenset({cell.engine, *cell.engine.split("-")})


def _give_up(reason: str, lacking: Iterable[str], required: tuple[str, ...]) -> None:
    forbidden = sorted(set(lacking) & set(required))
    if forbidden:
        from lab.verdict.verdict import Judgement, Verdict  # noqa: PLC0415 (at run time only)

        text = f"{reason}; --lab-require {','.join(forbidden)} forbids to skip that"
        raise Ruled(Judgement(Verdict.INFRA, text), text)
    pytest.skip(reason)
