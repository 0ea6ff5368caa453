# SPDX-License-Identifier: BSD-2-Clause
"""The guest's serial console, as a file that grows: wait for a line in it, show its end.

The console is the only witness that outlives a dead guest, so nothing here ever writes to it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_POLL = 0.02
"""Seconds between two looks at the file; adds at most this much to a boot."""

_CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: window titles
    r"|\x1b[ -/]*[0-~]"  # two-character escapes
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"  # other control characters, but not tab and newline
)


class MarkerScanner:
    """Finds the first of several byte strings in a stream that arrives in arbitrary pieces."""

    def __init__(self, markers: Sequence[bytes]) -> None:
        if not markers or not all(markers):
            raise ValueError("a marker is a non-empty byte string")
        self._markers = tuple(markers)
        self._overlap = max(map(len, markers)) - 1
        self._held = b""

    def feed(self, data: bytes) -> bytes | None:
        """Take the next piece; return the marker that is complete first in the stream, if any.

        "Complete first" makes the answer independent of how the stream was cut; of two that end at
        the same byte the one named first wins. Only as much is held back as the beginning of a
        marker can take, so a console of any length costs constant memory.
        """
        window = self._held + data
        hits = [
            (at + len(marker), rank)
            for rank, marker in enumerate(self._markers)
            if (at := window.find(marker)) >= 0
        ]
        if hits:
            return self._markers[min(hits)[1]]
        self._held = window[-self._overlap :] if self._overlap else b""
        return None


class Console:
    """One console file. Reading starts at its beginning and remembers where it stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    @property
    def size(self) -> int:
        """Bytes that were written so far."""
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def read_new(self) -> bytes:
        """Everything that was written since the last call; empty if there is no file yet."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return b""
        self._offset += len(data)
        return data

    def wait_for(
        self, markers: Sequence[bytes], timeout: float, alive: Callable[[], bool]
    ) -> bytes | None:
        """Wait until one of ``markers`` is on the console; return it.

        Returns ``None`` after ``timeout`` seconds, or as soon as the machine is no longer
        ``alive`` and all it had written was looked at.
        """
        scanner = MarkerScanner(markers)
        deadline = time.monotonic() + timeout
        while True:
            last_look = not alive() or time.monotonic() >= deadline
            found = scanner.feed(self.read_new())
            if found is not None or last_look:
                return found
            time.sleep(_POLL)

    def tail(self, lines: int = 20) -> str:
        """Return the last lines, fit for a terminal: no control characters, no invalid UTF-8."""
        try:
            with self.path.open("rb") as file:
                size = file.seek(0, 2)
                file.seek(max(0, size - 512 * lines))
                data = file.read()
        except FileNotFoundError:
            return ""
        return "\n".join(plain(data).splitlines()[-lines:])


def plain(data: bytes) -> str:
    """Console output as readable text: escapes and control characters removed, lines kept."""
    return _CONTROL.sub("", data.decode("utf-8", errors="replace"))
