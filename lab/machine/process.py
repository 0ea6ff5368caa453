# SPDX-License-Identifier: BSD-2-Clause
"""A child process that cannot outlive this one, not even if this one is killed with SIGKILL."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

_START_SECONDS = 30.0
"""For fork and exec; more means that the disk with the program does not answer."""
_CHECKED_EXEC = '[ "$PPID" = "$1" ] || exit 125; shift; exec "$@"'


def guarded(argv: Sequence[str], parent: int) -> list[str]:
    """Wrap ``argv`` so that the kernel kills it when ``parent`` dies.

    The parent may die before the wish is registered with the kernel; no signal would come then.
    The shell in the middle starts after that point and closes the gap: if its parent is no longer
    ``parent``, it ends. ``exec`` all along: the program keeps the pid that was started, and the
    wish survives because no file on the way is set-uid.
    """
    inner = ["sh", "-c", _CHECKED_EXEC, "sh", str(parent), *argv]
    return ["setpriv", "--pdeathsig", "KILL", "--", *inner]


class Process:
    """A guarded child with a thread that starts it, waits for it and notes how it ended.

    The thread is the point: the kernel sends the death signal when the *thread* that started the
    child ends, not the process. A child started from a short-lived worker thread would be killed
    at random; this thread lives exactly as long as the child. It is a daemon: an interpreter that
    exits does not wait for it, and the kernel takes the child away.
    """

    def __init__(self, argv: Sequence[str], stderr: Path, pass_fds: Sequence[int] = ()) -> None:
        self._argv = tuple(argv)
        self._stderr = stderr
        self._pass_fds = tuple(pass_fds)
        self._popen: subprocess.Popen[bytes] | None = None
        self._error: Exception | None = None
        self._begun = threading.Event()
        self._ended = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"keep {argv[0]}", daemon=True)

    def start(self) -> int:
        """Start the child; return its pid. Raises ``OSError`` if it cannot be started."""
        self._keeper.start()
        if not self._begun.wait(_START_SECONDS):
            raise TimeoutError(f"{self._argv[0]} did not start within {_START_SECONDS:g} s")
        if self._popen is None:
            self._keeper.join(_START_SECONDS)
            raise self._error or RuntimeError("the child's thread ended early")
        return self._popen.pid

    @property
    def pid(self) -> int:
        """The child's process id; 0 before the start."""
        return self._popen.pid if self._popen is not None else 0

    @property
    def running(self) -> bool:
        """Whether the child has been started and has not ended."""
        return self._popen is not None and not self._ended.is_set()

    @property
    def status(self) -> int | None:
        """Exit status as ``subprocess`` gives it (negative: killed by that signal)."""
        return self._popen.returncode if self._popen and self._ended.is_set() else None

    def wait(self, timeout: float) -> bool:
        """Wait at most ``timeout`` seconds for the end; tell whether it came."""
        return self._ended.wait(timeout)

    def end(self, patience: float = 2.0) -> None:
        """Make sure the child is gone: SIGTERM, then SIGKILL. Does nothing if it has ended."""
        if self._popen is None:
            return
        try:
            self._popen.send_signal(signal.SIGTERM)
            if not self._ended.wait(patience):
                self._popen.send_signal(signal.SIGKILL)
        except BaseException:  # Ctrl-C during the wait must not leave a child either
            self._popen.kill()
            raise
        finally:
            self._ended.wait(patience)
            self._keeper.join(patience)

    def kill(self, patience: float = 2.0) -> None:
        """End the child at once, without asking. Does nothing if it has ended."""
        if self._popen is not None:
            self._popen.kill()
            self._ended.wait(patience)

    def _keep(self) -> None:
        try:
            with self._stderr.open("wb") as stderr:
                # A session of its own: Ctrl-C on the terminal is for the lab, which then ends its
                # machines in order.
                self._popen = subprocess.Popen(
                    guarded(self._argv, os.getpid()),
                    stdin=subprocess.DEVNULL,
                    stdout=stderr,
                    stderr=stderr,
                    pass_fds=self._pass_fds,
                    start_new_session=True,
                )
        except Exception as error:  # reported by start(), in the caller's thread
            self._error = error
            self._ended.set()
            return
        finally:
            self._begun.set()
        self._popen.wait()
        self._ended.set()
