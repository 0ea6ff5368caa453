# SPDX-License-Identifier: BSD-2-Clause
"""Keep the state of a running machine and put it back, as often as one likes, in a blink.

A machine's state is what its devices and processors hold, which QEMU saves (``snapshot-save``),
and its RAM and scratch disk, which the lab holds and copies itself; ``lab.machine.memory`` says
why. With the migration capability ``x-ignore-shared`` QEMU leaves out memory that it shares.

All of it is in the lab's hands, so a snapshot outlives its machine: another of the same spec can
be put into that state, which takes a tenth of a boot.

A restored guest is asked at once whether it is the one that was saved: ``lab.machine.agent``.
"""

from __future__ import annotations

import itertools
import os
import secrets
from dataclasses import dataclass
from typing import cast

from lab.errors import Status, die
from lab.machine.agent import AgentLine
from lab.machine.memory import Contents, Memory
from lab.machine.qmp import Event, Qmp

_JOB_TIMEOUT = 30.0
"""Seconds; either job takes some hundredths."""
_STORE = "snapshots"
"""Name of the block node in which QEMU keeps its part."""
_STORE_FILE = "snapshots-file"
"""And of the file below it."""


@dataclass(frozen=True)
class Snapshot:
    """A state of a machine, good for any machine of the same spec."""

    token: str
    """Names it, here, in QEMU and in the guest."""
    ram: Contents
    disk: Contents
    store: bytes
    """The file in which QEMU keeps its part. The machine's earlier snapshots are in it too."""


class Snapshots:
    """Saves and restores one machine. Not for two threads at once.

    ``ram`` and ``disk`` are the machine's own; ``store`` is the descriptor of an empty file for
    QEMU's part, which QEMU has inherited.
    """

    def __init__(
        self, qmp: Qmp, agent: AgentLine, *, ram: Memory, disk: Memory, store: int
    ) -> None:
        self._qmp = qmp
        self._agent = agent
        self._ram = ram
        self._disk = disk
        self._store = store
        self._jobs = itertools.count()
        self._tokens: set[str] | None = None  # in the store; None: QEMU has not opened it

    def save(self) -> Snapshot:
        """Save the machine as it is once nobody is logged in; it runs on afterwards.

        Hang up before: a session that the guest remembers and nobody else would be restored each
        time. No hypervisor may be in operation in the guest. Dies with ``FAILED`` if the guest's
        agent, or QEMU, cannot do it.
        """
        if self._tokens is None:
            self._check()
            self._add_store_file()
            options = {"driver": "qcow2", "file": _STORE_FILE, "size": 0}
            self._run_job("blockdev-create", {"options": options})
            self._add_store()
            self._tokens = set()
        token = secrets.token_hex(8)
        self._agent.save(token)
        self._qmp.execute("stop")
        self._run_job("snapshot-save", self._selected(token))
        self._tokens.add(token)
        size = os.fstat(self._store).st_size
        store = os.pread(self._store, size, 0)
        snapshot = Snapshot(token, self._ram.keep(), self._disk.keep(), store)
        self._qmp.execute("cont")
        return snapshot

    def restore(self, snapshot: Snapshot) -> None:
        """Put the machine into this state, whatever it does, and have its agent check that it is.

        Hang up before; connections of before are dead. Dies with ``FAILED`` or ``LOST`` if the
        machine is not what was saved: it is of no more use then.
        """
        self._qmp.execute("stop")
        if self._tokens is None or snapshot.token not in self._tokens:
            self._take_over(snapshot)
        # Before the devices: loading one, QEMU looks at its rings in RAM.
        self._ram.put_back(snapshot.ram)
        self._disk.put_back(snapshot.disk)
        self._run_job("snapshot-load", self._selected(snapshot.token))
        self._qmp.execute("cont")
        self._agent.wake(snapshot.token)

    def _selected(self, token: str) -> dict[str, object]:
        return {"tag": token, "vmstate": _STORE, "devices": [_STORE]}

    def _take_over(self, snapshot: Snapshot) -> None:
        """Give QEMU the store of a snapshot that another machine has saved."""
        if self._tokens is None:
            self._check()
        else:
            for node in (_STORE, _STORE_FILE):
                self._qmp.execute("blockdev-del", {"node-name": node})
        os.truncate(self._store, 0)
        os.pwrite(self._store, snapshot.store, 0)
        self._add_store_file()
        self._add_store()
        self._tokens = {snapshot.token}

    def _check(self) -> None:
        """Have QEMU leave the lab's part alone; die with ``FAILED`` if it would not."""
        roms = str(self._qmp.execute("human-monitor-command", {"command-line": "info roms"}))
        if "mem=ram" in roms:
            # Each reset of the devices, so each restore, writes these over the guest's RAM.
            die(
                "QEMU keeps a copy of something in the guest's RAM; it cannot be restored.",
                "boot a bzImage, or an ELF kernel that the lab places in RAM itself",
                status=Status.FAILED,
                detail=roms,
            )
        capability = {"capability": "x-ignore-shared", "state": True}
        self._qmp.execute("migrate-set-capabilities", {"capabilities": [capability]})

    def _add_store_file(self) -> None:
        path = f"/proc/self/fd/{self._store}"
        file = {"driver": "file", "node-name": _STORE_FILE, "filename": path}
        self._qmp.execute("blockdev-add", file)

    def _add_store(self) -> None:
        node = {"driver": "qcow2", "node-name": _STORE, "file": _STORE_FILE}
        self._qmp.execute("blockdev-add", node)

    def _run_job(self, command: str, arguments: dict[str, object]) -> None:
        """Run a job to its end. Dies with ``FAILED`` and QEMU's reason if it fails."""
        job = f"{command}-{next(self._jobs)}"
        begun = len(self._qmp.events)
        self._qmp.execute(command, {"job-id": job, **arguments})

        def concluded(event: Event) -> bool:
            return event.data.get("id") == job and event.data.get("status") == "concluded"

        if self._qmp.wait_for(concluded, _JOB_TIMEOUT, begun) is None:
            die(
                f"QEMU did not end its {command} within {_JOB_TIMEOUT:g} s.",
                "run it again; the run directory has QEMU's messages",
                status=Status.LOST,
            )
        jobs = cast(list[dict[str, object]], self._qmp.execute("query-jobs"))
        error = next((entry.get("error") for entry in jobs if entry["id"] == job), None)
        self._qmp.execute("job-dismiss", {"id": job})
        if error is not None:
            die(
                f"QEMU could not do {command}: {error}.",
                "run it again; the run directory has QEMU's messages",
                status=Status.FAILED,
            )
