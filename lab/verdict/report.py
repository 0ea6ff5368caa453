# SPDX-License-Identifier: BSD-2-Clause
"""One complaint of a kernel, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a kernel complained about; the values are part of the run record."""

    WARNING = "warning"
    """A WARN() of any subsystem."""
    OOPS = "oops"
    """An exception in ring 0: BUG(), a bad pointer, a bad instruction, a stack overflow."""
    PANIC = "panic"
    """A panic that nothing else on the console explains."""
    LOCKUP = "lockup"
    """A processor that makes no progress: soft and hard lockups, stalled workqueues."""
    STALL = "stall"
    """RCU waits for a processor or a task."""
    HUNG_TASK = "hung-task"
    """A task that sleeps uninterruptibly for too long."""
    LOCKING = "locking"
    """The rules of locking: lockdep, sleeping or scheduling where that is forbidden."""
    MEMORY = "memory"
    """Memory misused: KASAN, KFENCE, SLUB, lists, reference counts, bad pages, leaks, bounds."""
    OOM = "oom"
    """Memory exhausted: the out-of-memory killer, a failed allocation."""
    HARDWARE = "hardware"
    """Machine checks, interrupts nobody handles, a network card that stopped sending."""
    OTHER = "other"
    """A complaint of no known family."""


@dataclass(frozen=True)
class Report:
    """One complaint, with what the kernel printed for it.

    ``title`` says what and where, as "WARNING in zoo_warn"; ``where`` is the function alone, empty
    if the kernel named none. ``text`` is the report without control characters, bounded in length.
    ``offset`` is the position of its first byte in the stream. ``panic`` is the reason of the
    kernel panic that this complaint was or ended in, empty if the kernel lived on.
    """

    kind: Kind
    title: str
    where: str
    text: str
    offset: int
    panic: str = ""
