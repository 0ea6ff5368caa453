# SPDX-License-Identifier: BSD-2-Clause
"""The machines that run on this host for this user, as their directories and /proc show them.

Nothing here talks to a machine or to its owner: a machine that hangs is listed like any other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import LabError, Status, die
from lab.machine.rundir import CONSOLE, EVENTS, PID, RECORD, USER, is_owned, process_of


@dataclass(frozen=True)
class LiveMachine:
    """A machine whose process lives."""

    directory: Path
    pid: int
    state: str
    """``running``, ``panicked``, ``halted`` (it powered off or was reset), and ``orphaned``."""
    user: str
    """The test or the command that uses it."""
    resident_mib: int
    record: Mapping[str, object]

    @property
    def id(self) -> str:
        """The random part of the directory's name."""
        return self.directory.name.rpartition("-")[2]

    @property
    def console(self) -> Path:
        """What the guest wrote to its serial port."""
        return self.directory / CONSOLE

    @property
    def seconds(self) -> float:
        """How long it has been there."""
        try:
            started = datetime.fromisoformat(str(self.record["started"]))
        except (KeyError, ValueError):
            return 0.0
        return (datetime.now(UTC) - started).total_seconds()


def live_machines(runs: Path) -> tuple[LiveMachine, ...]:
    """Return the machines whose directories are below ``runs``, oldest first."""
    found = []
    for path in sorted(runs.glob("*/")) if runs.is_dir() else ():
        with process_of(path) as handle:
            if handle is not None:
                found.append(_look_at(path))
    return tuple(found)


def choose(machines: Sequence[LiveMachine], prefix: str | None) -> LiveMachine:
    """Return the machine whose ID begins with ``prefix``; without one, the only machine there is.

    The whole name of its directory, or the beginning of it, will do too.
    """
    if not machines:
        die("No machine is running.", "dbos-lab up  # boots one", status=Status.USAGE)
    chosen = matching(machines, prefix) if prefix else machines
    if len(chosen) == 1:
        return chosen[0]
    if not chosen:
        sentence = f"No machine has an ID that begins with {prefix!r}."
    elif prefix:
        sentence = f"{len(chosen)} machines have an ID that begins with {prefix!r}."
    else:
        sentence = f"{len(chosen)} machines are running; say which is meant."
    ids = ", ".join(machine.id for machine in chosen or machines)
    raise LabError(sentence, f"give one of these: {ids}", status=Status.USAGE)


def matching(machines: Sequence[LiveMachine], prefix: str) -> Sequence[LiveMachine]:
    """Return the machines that ``prefix`` may mean; IDs go before names of directories."""
    return [machine for machine in machines if machine.id.startswith(prefix)] or [
        machine for machine in machines if machine.directory.name.startswith(prefix)
    ]


def _look_at(path: Path) -> LiveMachine:
    pid = int(_read(path / PID) or 0)
    record = _record(path)
    return LiveMachine(
        directory=path,
        pid=pid,
        state=_state(path) if is_owned(path) else "orphaned",
        user=_read(path / USER).strip() or _command(record.get("owner")),
        resident_mib=_resident_kib(pid) // 1024,
        record=record,
    )


def _state(path: Path) -> str:
    events = set(re.findall(r'"event": "(\w+)"', _read(path / EVENTS)))
    if "GUEST_PANICKED" in events:
        return "panicked"
    return "halted" if "SHUTDOWN" in events else "running"


def _record(path: Path) -> Mapping[str, object]:
    try:
        record = json.loads(_read(path / RECORD))
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _command(pid: object) -> str:
    """Return the program name of a process, as a last resort to say whose a machine is."""
    words = _read(Path(f"/proc/{pid}/cmdline")).split("\0") if isinstance(pid, int) else []
    names = [Path(word).name for word in words if word and not word.startswith("-")]
    return " ".join(names[:3])


def _resident_kib(pid: int) -> int:
    found = re.search(r"^VmRSS:\s+(\d+) kB", _read(Path(f"/proc/{pid}/status")), re.M)
    return int(found[1]) if found else 0


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
