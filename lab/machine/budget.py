# SPDX-License-Identifier: BSD-2-Clause
"""How many machines run on this host at once, whoever starts them.

A machine that gets a fraction of a processor misses its deadlines, and one that makes the host swap
stops all others too. So each takes a *slot* before it starts: a locked file in a directory that all
processes with the same cache share. The kernel drops the lock when its holder dies, however it
dies; nothing has to be cleaned up, and no pid has to be believed for that.

Nobody who has a machine waits for another: a process that holds a slot, or descends from one that
does, takes one more beyond what there are instead. Two test sessions which hold one
machine each and wait for a second would otherwise wait for each other for good. Memory has no such
way out: where it is missing, the wait is as bounded as any, and ends with a message.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from lab.deadline import Deadline
from lab.errors import Status, die
from lab.lock import BRIEF_SECONDS, hold

SPARE = 1
"""Machines beyond the processors: at any time one of them hangs, halts or waits for its test."""
OVERHEAD_MIB = 256
"""What an emulator needs besides the guest's memory: translated code, buffers."""
PATIENCE = 600.0
"""Seconds to wait for a slot; a suite that holds one for longer is stuck."""
_PAUSE = 0.1
"""Seconds between two looks: one cannot sleep on any of several locks."""


@dataclass(frozen=True)
class Budget:
    """What this host can carry."""

    machines: int
    memory_mib: int
    """Available now; guests that were just started have not yet taken theirs."""


@dataclass(frozen=True)
class Slot:
    """A slot that someone holds."""

    pid: int
    memory_mib: int


def host_budget(meminfo: Path = Path("/proc/meminfo")) -> Budget:
    """Measure: a machine per processor that this process may use and ``SPARE``, and the memory."""
    lines = (line.partition(":") for line in meminfo.read_text().splitlines())
    kibibytes = {name: int(value.split()[0]) for name, _, value in lines if value}
    return Budget(len(os.sched_getaffinity(0)) + SPARE, kibibytes["MemAvailable"] // 1024)


@contextmanager
def machine_slot(
    directory: Path,
    memory_mib: int,
    *,
    patience: float = PATIENCE,
    budget: Callable[[], Budget] = host_budget,
    report: Callable[[str], None] = lambda _note: None,
) -> Iterator[None]:
    """Hold a slot in ``directory`` for a guest of ``memory_mib``; wait ``patience`` seconds for it.

    Dies with ``MISSING``, naming the holders, if none becomes free in time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    need = memory_mib + OVERHEAD_MIB
    deadline = time.monotonic() + patience
    while True:
        with _all_of(directory):
            handle, obstacle = _take(directory, need, budget())
        if handle is not None:
            break
        report(f"waiting: {obstacle}")
        if time.monotonic() >= deadline:
            die(
                f"No room for another machine on this host within {patience:g} s: {obstacle}.",
                "wait for these processes or end them, then run the same command again",
                status=Status.MISSING,
            )
        time.sleep(_PAUSE)
    with handle:
        yield


def holders(directory: Path) -> tuple[Slot, ...]:
    """Return who holds slots in ``directory`` now."""
    return tuple(slot for path in directory.glob("[0-9]*") if (slot := _held(path)) is not None)


def _take(directory: Path, need: int, budget: Budget) -> tuple[TextIO | None, str]:
    """Take a slot, or say what is in the way. The directory's lock is held."""
    held = holders(directory)
    named = f"held by process {', '.join(str(slot.pid) for slot in held)}"
    if len(held) >= budget.machines and not {slot.pid for slot in held} & _lineage():
        return None, f"{len(held)} of {budget.machines} machines run, {named}"
    # Counted as if no guest had touched its memory yet: too careful, never too bold.
    promised = sum(slot.memory_mib for slot in held)
    if promised + need > budget.memory_mib:
        free = f"{budget.memory_mib} MiB of memory are available, {need} needed"
        if not held:
            die(
                f"No room for a machine on this host: {free}.",
                "ps --sort=-rss -eo rss,pid,args | head  # who has it",
                status=Status.MISSING,
            )
        return None, f"{free}, {promised} promised to machines {named}"
    for number in itertools.count():
        handle = (directory / str(number)).open("a+")
        if _lock(handle):
            handle.truncate(0)
            handle.write(f"{os.getpid()} {need}\n")
            handle.flush()
            return handle, ""
        handle.close()
    raise AssertionError("unreachable")


def _held(path: Path) -> Slot | None:
    with path.open() as handle:
        if _lock(handle):
            return None
        pid, memory_mib = handle.read().split()
        return Slot(int(pid), int(memory_mib))


def _lock(handle: TextIO) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lineage() -> set[int]:
    """Return this process and its ancestors."""
    pids, pid = set(), os.getpid()
    while pid > 0:
        pids.add(pid)
        try:
            # The program's name, in parentheses, may contain anything; the parent is the second
            # field after it.
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            break
    return pids


@contextmanager
def _all_of(directory: Path) -> Iterator[None]:
    """Be the only one who looks and takes: a look locks each file for an instant."""
    path = directory / "lock"
    with path.open("a") as handle:
        hold(handle, path, Deadline.after(BRIEF_SECONDS, "a look at who runs machines"))
        yield
