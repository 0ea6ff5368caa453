# SPDX-License-Identifier: BSD-2-Clause
"""A shell command in the guest: followed to its end, or to its deadline, or to the guest's."""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn, Protocol

import paramiko

from lab.deadline import Deadline, Limits
from lab.errors import LabError, Status, die
from lab.job import split_session
from lab.pulse import CONNECTION_ERRORS, Pulse

POLL = 0.1
"""Seconds between two looks at whether the machine still lives, while a command is silent."""

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
    """A command did not end in time, in a guest that is well; ``result`` has its output so far."""

    def __init__(self, result: Result, deadline: Deadline, outcome: Outcome) -> None:
        super().__init__(
            f"{brief(result.command)} did not end within {deadline.seconds:g} s in the guest; "
            f"{outcome.words}.",
            "see its last output below; a longer timeout may be all it needs",
            status=Status.FAILED,
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
    def limits(self) -> Limits:
        """How long it may take."""

    @property
    def alive(self) -> bool:
        """Whether it still runs."""

    def dies_within(self, seconds: float) -> bool:
        """Wait a little for its death."""

    def lost(self, when: str) -> LabError:
        """Describe its death."""

    def unresponsive(self, sentence: str) -> LabError:
        """Describe what it does not do."""

    def stuck(self) -> bool:
        """Whether no processor of it can be interrupted at this moment."""

    def hung(self, sentence: str) -> LabError:
        """Examine it, because it gives no sign of life."""


class Command:
    """A command that was started. Call ``wait`` or ``close``; nothing reads its output before.

    So one that writes more than the SSH window (2 MiB) is held up until someone does.
    """

    def __init__(
        self,
        text: str,
        channel: paramiko.Channel,
        host: Host,
        kill: Callable[[int | None], Outcome] | None,
        release: Callable[[bool], None],
    ) -> None:
        self.text = text
        self._channel = channel
        self._host = host
        # Told the id of the command's session, if that is known. None: one that is only given up.
        self._kill = kill
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

    def wait(self, timeout: float | None = None, *, check: bool = False) -> Result:
        """Wait for the end of the command and of its output, as described at ``Guest.run``."""
        limit = self._host.limits.command if timeout is None else timeout
        deadline = Deadline.after(limit, brief(self.text))
        ended = False
        try:
            ended = self._collect(deadline)
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
            self._overdue(result, deadline, session)
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

    def _overdue(self, result: Result, deadline: Deadline, session: int | None) -> NoReturn:
        """Kill the command and say so; or find by the way that it is the guest that hangs."""
        outcome = self._kill(session) if self._kill is not None else Outcome("it was given up")
        overdue = CommandTimeoutError(result, deadline, outcome)
        if outcome.guest_answers:
            raise overdue
        if not self._host.alive:
            raise self._host.lost(f"when {brief(self.text)} was to be killed") from overdue
        raise self._host.hung(overdue.message.rstrip(".")) from overdue

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

    def _collect(self, deadline: Deadline) -> bool:
        """Read both streams as they come; tell whether the command ended before the deadline.

        Both count against one SSH window: a reader that waits on one while the other fills it
        stops the command for ever. So whatever is there is taken, whichever it is.
        """
        channel = self._channel
        pulse = Pulse(channel.get_transport(), self._host)
        poll = select.poll()
        poll.register(channel.fileno(), select.POLLIN)
        while True:
            # Asked before the streams are emptied: what came before the end is then all read.
            ended = channel.exit_status_ready() and (channel.eof_received or channel.closed)
            heard = self._take()
            if ended:
                return True
            if not self._host.alive:
                raise EOFError("the machine ended")
            if deadline.passed:
                return False
            if pulse.look(heard=heard):
                silence = f"gave no sign of life for {pulse.silent:.0f} s"
                raise self._host.hung(f"The guest {silence} while it ran {brief(self.text)}")
            poll.poll(1000 * min(deadline.left(), POLL))

    def _take(self) -> bool:
        """Take what has come; tell whether anything has."""
        before = len(self._stdout) + len(self._stderr)
        while self._channel.recv_ready():
            self._stdout.append(self._channel.recv(_CHUNK))
        while self._channel.recv_stderr_ready():
            self._stderr.append(self._channel.recv_stderr(_CHUNK))
        return len(self._stdout) + len(self._stderr) > before


def broken(host: Host, when: str, error: BaseException) -> LabError:
    """Make the error for a connection that broke: the machine's death, if that is the reason."""
    if host.dies_within(1.0):
        return host.lost(when)
    return host.unresponsive(f"The connection to the guest broke {when}: {_reason(error)}.")


def _reason(error: BaseException) -> str:
    return str(error).rstrip(". ") or "it was closed"


def brief(command: str) -> str:
    """Quote a command for a sentence, cut to a readable length."""
    first, newline, _ = command.strip().partition("\n")
    cut = len(first) > 60 or bool(newline)
    return f"{first[:60]!r}{'...' if cut else ''}"


def tail(output: bytes, size: int = 2000) -> str:
    """Return the end of some output as text."""
    return output[-size:].decode(errors="replace")
