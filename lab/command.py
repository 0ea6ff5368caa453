# SPDX-License-Identifier: BSD-2-Clause
"""A shell command in the guest: how it is wrapped, followed to its end, and killed."""

from __future__ import annotations

import contextlib
import select
import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import paramiko

from lab.errors import LabError, Status, die

POLL = 0.1
"""Seconds between two looks at whether the machine still lives, while a command is silent."""

CONNECTION_ERRORS = (paramiko.SSHException, EOFError, OSError)
"""What paramiko raises when the other side is gone."""

_CHUNK = 1 << 18
_JOIN_TIMEOUT = 2.0


@dataclass(frozen=True)
class Result:
    """What a command did. ``status`` is as in a shell: 128 + n for death by signal n."""

    command: str
    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def text(self) -> str:
        """Standard output as text."""
        return self.stdout.decode(errors="replace")


class CommandTimeoutError(LabError):
    """A command did not end in time; ``result`` has its output so far.

    The status is ``FAILED`` if it could be killed and ``LOST`` if the guest hangs as well.
    """

    def __init__(self, result: Result, timeout: float, outcome: Outcome) -> None:
        super().__init__(
            f"{brief(result.command)} did not end within {timeout:g} s in the guest; "
            f"{outcome.words}.",
            "see its last output below; a longer timeout may be all it needs",
            status=Status.FAILED if outcome.guest_answers else Status.LOST,
            detail=tail(result.stdout) + tail(result.stderr),
        )
        self.result = result


@dataclass(frozen=True)
class Outcome:
    """How the attempt to kill a command went."""

    words: str
    guest_answers: bool = True


class Host(Protocol):
    """The machine a command runs on, as far as it matters here."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""

    def dies_within(self, seconds: float) -> bool:
        """Wait a little for its death."""

    def lost(self, when: str) -> LabError:
        """Describe its death."""

    def unresponsive(self, sentence: str) -> LabError:
        """Describe what it does not do."""


class Command:
    """A command that was started. Call ``wait`` or ``close``; nothing reads its output before.

    So one that writes more than the SSH window (2 MiB) is held up until someone does.
    """

    def __init__(
        self,
        text: str,
        channel: paramiko.Channel,
        host: Host,
        kill_session: Callable[[int | None], Outcome],
        release: Callable[[bool], None],
    ) -> None:
        self.text = text
        self._channel = channel
        self._host = host
        self._kill_session = kill_session
        self._release = release  # told once whether the connection is as good as new
        self._released = False
        self._begun = time.monotonic()
        self._stdout: list[bytes] = []
        self._stderr: list[bytes] = []
        self._feeder: threading.Thread | None = None

    def feed(self, data: bytes) -> None:
        """Send ``data`` as the command's whole input, from a thread of its own.

        In this thread it could deadlock with the output: the command may want to write before it
        reads on.
        """

        def send() -> None:
            # The command may end, or be given up, before it has read everything.
            with contextlib.suppress(*CONNECTION_ERRORS):
                self._channel.sendall(data)
                self._channel.shutdown_write()

        if data:
            self._feeder = threading.Thread(target=send, name="feed", daemon=True)
            self._feeder.start()
        else:
            self._channel.shutdown_write()

    def wait(self, timeout: float, *, check: bool = False) -> Result:
        """Wait for the end of the command and of its output, as described at ``Guest.run``."""
        ended = False
        try:
            ended = self._collect(time.monotonic() + timeout)
            status = self._channel.recv_exit_status() if ended else -1
            if ended and status < 0:  # the wrapper always sends one
                ended = False
                raise EOFError("it was cut off")
        except CONNECTION_ERRORS as error:
            raise broken(self._host, f"while it ran {brief(self.text)}", error) from error
        finally:
            self._let_go(in_order=ended)
        session, stdout = split_session(b"".join(self._stdout))
        seconds = time.monotonic() - self._begun
        result = Result(self.text, status, stdout, b"".join(self._stderr), seconds)
        if not ended:
            raise self._overdue(result, timeout, session)
        if check and status != 0:
            die(
                f"{brief(self.text)} ended with status {status} in the guest.",
                "see its last output below",
                status=Status.FAILED,
                detail=tail(result.stdout) + tail(result.stderr),
            )
        return result

    def close(self) -> None:
        """Let go of the command; it is not killed. Harmless when it has ended."""
        self._let_go(in_order=False)

    def _overdue(self, result: Result, timeout: float, session: int | None) -> CommandTimeoutError:
        """Kill the command; describe what happened. A guest that hangs as well is kept."""
        error = CommandTimeoutError(result, timeout, self._kill_session(session))
        if error.status is Status.LOST:
            lost = self._host.unresponsive(error.message)
            error.hint, error.detail = lost.hint, error.detail + lost.detail
        return error

    def _let_go(self, *, in_order: bool) -> None:
        if self._released:
            return
        self._released = True
        # A thread that still feeds the command could send to a channel that is gone.
        feeding = self._feeder is not None and self._feeder.is_alive()
        with contextlib.suppress(*CONNECTION_ERRORS):
            self._channel.close()
        self._release(in_order and not feeding)
        if self._feeder is not None:
            self._feeder.join(_JOIN_TIMEOUT)

    def _collect(self, deadline: float) -> bool:
        """Read both streams as they come; tell whether the command ended before the deadline.

        Both count against one SSH window: a reader that waits on one while the other fills it
        stops the command for ever. So whatever is there is taken, whichever it is.
        """
        channel = self._channel
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        while True:
            # Asked before the streams are emptied: what came before the end is then all read.
            ended = channel.exit_status_ready() and (channel.eof_received or channel.closed)
            self._take()
            if ended:
                return True
            if not self._host.alive:
                raise EOFError("the machine ended")
            left = min(deadline - time.monotonic(), POLL)
            if left <= 0:
                return False
            poll.poll(1000 * left)

    def _take(self) -> None:
        while self._channel.recv_ready():
            self._stdout.append(self._channel.recv(_CHUNK))
        while self._channel.recv_stderr_ready():
            self._stderr.append(self._channel.recv_stderr(_CHUNK))


def broken(host: Host, when: str, error: BaseException) -> LabError:
    """Make the error for a connection that broke: the machine's death, if that is the reason."""
    if host.dies_within(1.0):
        return host.lost(when)
    return host.unresponsive(f"The connection to the guest broke {when}: {_reason(error)}.")


def _reason(error: BaseException) -> str:
    return str(error).rstrip(". ") or "it was closed"


def in_own_session(command: str) -> str:
    """Wrap a command so that all it starts can be found again and killed.

    It runs in a session of its own and tells the session's id as the first line of its output: no
    file, no second round trip. The outer shell stays (``exit``) to turn a death by signal into a
    status; sent as a signal over SSH, paramiko would drop it.
    """
    return f"setsid sh -c {shlex.quote(f'echo $$;{chr(10)}{command}')}; exit $?"


def split_session(stdout: bytes) -> tuple[int | None, bytes]:
    """Separate the session id from a wrapped command's own output."""
    first, newline, rest = stdout.partition(b"\n")
    if newline and first.isdigit():
        return int(first), rest
    return None, stdout


def killing(session: int) -> str:
    """Build the command that kills every process of a session; status 0 once none is left.

    A process that made a session of its own (a daemon) is not among them.

    It reads ``/proc/PID/stat`` only: that never waits for a lock of the process looked at, which a
    process stuck in a broken kernel module may hold for ever. Shell built-ins only, in rounds,
    for processes that fork meanwhile. Zombies count as gone.
    """
    return f"""for round in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null < "$stat" || continue
    pid=${{line%% *}}; set -- ${{line##*) }}
    [ "$4" = {session} ] && [ "$1" != Z ] && left="$left $pid"
  done
  [ -z "$left" ] && exit 0
  kill -KILL $left 2>/dev/null
  [ $round -gt 2 ] && sleep 0.1
done; exit 1"""


def brief(command: str) -> str:
    """Quote a command for a sentence, cut to a readable length."""
    first, newline, _ = command.strip().partition("\n")
    cut = len(first) > 60 or bool(newline)
    return f"{first[:60]!r}{'...' if cut else ''}"


def tail(output: bytes, size: int = 2000) -> str:
    """Return the end of some output as text."""
    return output[-size:].decode(errors="replace")
