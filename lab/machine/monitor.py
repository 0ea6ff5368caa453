# SPDX-License-Identifier: BSD-2-Clause
"""A second way to a running QEMU, for processes other than its owner.

The owner talks to QEMU over a socket pair that nobody else can reach. Commands on a live machine
(``dbos-lab gdb``) come in through a socket in the machine's private directory.

The address of a Unix socket has room for 107 bytes (unix(7)), and directories of test runs are
easily longer. So both sides name it through a descriptor of the directory, ``/proc/self/fd/N``;
that is short wherever the directory is. QEMU never sees a path: it inherits the listening socket.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from lab.errors import Status, die

MONITOR = "monitor.sock"


def listen(directory: Path) -> socket.socket:
    """Make the socket and listen on it; to be passed to QEMU."""
    listener = socket.socket(socket.AF_UNIX)
    try:
        with _short(directory) as address:
            listener.bind(address)
        listener.listen(1)
    except BaseException:
        listener.close()
        raise
    return listener


def connect(directory: Path, timeout: float = 2.0) -> socket.socket:
    """Connect to the machine of ``directory``; dies with ``LOST`` if there is none any more."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        with _short(directory) as address:
            connection.connect(address)
    except OSError as error:
        connection.close()
        die(
            f"The machine {directory.name} has no monitor that answers: {error.strerror or error}.",
            "dbos-lab ps  # which machines run",
            status=Status.LOST,
        )
    connection.settimeout(None)
    return connection


@contextlib.contextmanager
def _short(directory: Path) -> Iterator[str]:
    handle = os.open(directory, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{MONITOR}"
    finally:
        os.close(handle)
