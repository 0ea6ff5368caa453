# SPDX-License-Identifier: BSD-2-Clause
"""The descriptors between the doctor and one emulator process.

A probe's machine needs no file of its own: its serial line is a pipe, its log and configuration
are anonymous files, and the emulator is told their names as ``/dev/fd/N``. So however the doctor
ends, nothing is left on disk. The terminal is there because Bochs will not start without one; it
takes everything the emulator prints, too.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from types import TracebackType
from typing import Self

SCREEN_LIMIT = 16 * 1024
"""How much of the terminal's text is kept; Bochs redraws its screen all the time."""


class Plumbing:
    """Opened before the process starts; everything is closed when the block ends."""

    def __init__(self) -> None:
        self._ours = ExitStack()
        self._theirs = ExitStack()
        """The far ends. They must be closed here once the process has them, or the serial line
        never comes to its end."""
        self._files: list[int] = []
        self._screen_text = b""

    def __enter__(self) -> Self:
        try:
            self.serial, self._serial_end = os.pipe()
            self._ours.callback(os.close, self.serial)
            self._theirs.callback(os.close, self._serial_end)
            self.screen, self.terminal = os.openpty()
            self._ours.callback(os.close, self.screen)
            self._theirs.callback(os.close, self.terminal)
            self.log_path = self.file("")
        except BaseException:
            self._close()
            raise
        self.serial_path = f"/dev/fd/{self._serial_end}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        self._theirs.close()
        self._ours.close()

    def file(self, text: str) -> str:
        """Make an anonymous file of this content; return the name the process knows it by."""
        handle = os.memfd_create("doctor")
        self._ours.callback(os.close, handle)
        os.write(handle, text.encode())
        self._files.append(handle)
        return f"/dev/fd/{handle}"

    @property
    def handed_over(self) -> tuple[int, ...]:
        """What the process must inherit, beside the terminal as its standard streams."""
        return (self._serial_end, *self._files)

    def close_far_ends(self) -> None:
        """To be called once the process has started."""
        self._theirs.close()

    def drain_screen(self) -> bool:
        """Take what is on the terminal; false once nobody has it open any more."""
        try:
            text = os.read(self.screen, 65536)
        except OSError:  # EIO is a terminal's end of file
            return False
        self._screen_text = (self._screen_text + text)[-SCREEN_LIMIT:]
        return bool(text)

    def errors(self) -> str:
        """All the process said beside its serial line, once it has ended."""
        os.set_blocking(self.screen, False)
        while self.drain_screen():
            pass
        log = os.pread(self._files[0], os.fstat(self._files[0]).st_size, 0)
        text = (log + self._screen_text).decode("utf-8", "replace")
        return text.replace("\r\n", "\n")
