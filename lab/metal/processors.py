# SPDX-License-Identifier: BSD-2-Clause
"""Which of the host's processors a machine gets for its own, where nobody says it."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

CPUS = "sys/devices/system/cpu"


def choose_processors(root: Path, allowed: Set[int], wanted: int) -> tuple[int, ...]:
    """Return at most ``wanted`` of the processors ``allowed``, no two on one core.

    The first core comes last: interrupts that nobody has moved end there. Too few cores are what
    there is; a machine's processors then share them, which no pinning can help.
    """
    taken: set[int] = set()
    chosen = []
    for processor in sorted(allowed):
        siblings = _siblings(root, processor)
        if not taken & siblings:
            chosen.append(processor)
        taken |= siblings
    if chosen and 0 in _siblings(root, chosen[0]):
        chosen = [*chosen[1:], chosen[0]]
    return tuple(chosen[:wanted])


def _siblings(root: Path, processor: int) -> set[int]:
    """Those on the same core, itself among them."""
    path = root / CPUS / f"cpu{processor}/topology/thread_siblings_list"
    try:
        return parse_list(path.read_text()) | {processor}
    except OSError:
        return {processor}


def parse_list(text: str) -> set[int]:
    """Read the kernel's lists of processors, as ``0-3,8``."""
    found: set[int] = set()
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found
