# SPDX-License-Identifier: BSD-2-Clause
"""A machine's memory and processors, written to a file while the machine stands still."""

from __future__ import annotations

from pathlib import Path

from lab.crash.kdump import MalformedDumpError, rearrange
from lab.errors import Status, die
from lab.machine.qmp import Qmp

TIMEOUT = 60.0
"""Seconds for QEMU to write all of memory; a 1 GiB guest that has just booted takes 1 to 3."""


def dump_memory(qmp: Qmp, target: Path, timeout: float = TIMEOUT) -> None:
    """Dump into ``target``, as a kdump file that drgn and crash open; a few tens of MB.

    Works on a machine that runs (it is stopped meanwhile), is paused or has panicked. Dies with
    ``LOST`` if QEMU does not answer in time, with ``FAILED`` if it refuses; no file is left then.

    Why not ELF, which QEMU can also write: that is as large as the memory, and slower to write.
    """
    flat = target.with_name(f".{target.name}.flat")
    arguments = {"paging": False, "protocol": f"file:{flat}", "format": "kdump-zlib"}
    try:
        qmp.execute("dump-guest-memory", arguments, timeout=timeout)
        rearrange(flat, target)
    except (MalformedDumpError, OSError) as error:
        target.unlink(missing_ok=True)
        die(
            f"QEMU's memory dump cannot be used: {error}.",
            f"df -h {target.parent}  # a full disk cuts a dump short",
            status=Status.FAILED,
        )
    finally:
        flat.unlink(missing_ok=True)
