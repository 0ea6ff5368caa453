# SPDX-License-Identifier: BSD-2-Clause
"""A booted guest over SSH: run commands in it, move files, and notice at once when it dies.

fabric opens and holds connections. Commands do not go through fabric's ``run``: it decodes output
to text, has no way to give up when the machine dies (TCP would wait for minutes), and its timeout
leaves the remote process running. They use a paramiko channel directly.

A connection runs one command at a time and is then used again; threads that run commands side by
side get connections of their own (0.13 s for a login). One connection for all would be simpler,
and SSH allows it, but the guest's dropbear (before 2025) does not bear it: when any command ends,
it closes every channel whose command has not begun yet, and may then abort the connection
(https://github.com/mkj/dropbear/pull/326).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import fabric  # type: ignore[import-untyped]
import paramiko

from lab.command import Command, Outcome, Result, broken
from lab.deadline import Deadline
from lab.errors import LabError, Status, die
from lab.job import Job
from lab.machine.machine import Machine
from lab.pulse import CONNECTION_ERRORS
from lab.sshkey import Keys

# What paramiko logs as an error (a guest that went away) is reported as an exception here.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_UNANSWERED = Outcome("the guest does not answer any more", guest_answers=False)


class Guest:
    """The connection to the guest of one machine; a context manager."""

    def __init__(self, machine: Machine, keys: Keys) -> None:
        self.machine = machine
        self._keys = keys
        self._login = threading.Lock()  # dropbear refuses more than a few logins at once
        self._pool = threading.Lock()
        self._idle: list[fabric.Connection] = []
        # By id: fabric takes two connections to one host for equal.
        self._open: dict[int, fabric.Connection] = {}
        self._files: paramiko.SFTPClient | None = None
        self._copying = threading.Lock()
        self._known = "", 0
        self.requests = 0
        """How many commands and copies were begun."""

    @property
    def state(self) -> str:
        """Name the known state that the guest is in; empty once anything was asked of it."""
        name, requests = self._known
        return name if self.requests == requests else ""

    def know_as(self, name: str) -> None:
        """Name the state that the guest is in now: for one that was just restored, its token."""
        self._known = name, self.requests

    def __enter__(self) -> Guest:
        self.connect()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def connect(self) -> None:
        """Log in. Dies with ``LOST`` if the guest is not there or is not the lab's own."""
        deadline = Deadline.after(self.machine.limits.connect, "a login")
        self._release(self._connected(deadline), in_order=True)

    def close(self) -> None:
        """Hang up; harmless when the guest is gone. Commands that still run are cut off.

        The next command logs in again.
        """
        with self._pool:
            connections, self._open, self._idle = self._open, {}, []
            self._files = None
        for connection in connections.values():
            _hang_up(connection)

    def run(
        self,
        command: str,
        *,
        timeout: float | None = None,
        input: bytes | None = None,  # noqa: A002 (the name subprocess.run gives it)
        check: bool = False,
    ) -> Result:
        """Run a shell command and wait for its end.

        A process it leaves behind goes on, but what that writes later is lost. After ``timeout``
        seconds (the machine's limit for a command unless given) all that the command started is
        killed and ``CommandTimeoutError`` raised. With ``check``, a status other than 0 dies with
        ``FAILED``. If the machine dies meanwhile, this dies with ``LOST`` within a fraction of a
        second; if it gives no sign of life for its limit of silence, with ``GuestHungError``.
        """
        return self.start(command, input=input).wait(timeout, check=check)

    def start(
        self,
        command: str,
        *,
        input: bytes | None = None,  # noqa: A002
    ) -> Command:
        """Start a shell command and leave it to the caller to wait for it.

        The start has the limit of a login, whatever the command's own: an sshd that does not answer
        within that is no fault of the command's.
        """
        job = Job()
        deadline = Deadline.after(self.machine.limits.connect, "a command to begin")
        kill = functools.partial(self._kill, job)
        return self._start(command, job.wrapped(command), deadline, input or b"", kill)

    def put(
        self, local: Path, remote: str, mode: int = 0o644, *, timeout: float | None = None
    ) -> None:
        """Copy a file into the guest; ``timeout`` as for a command."""
        with self._sftp(timeout) as files:
            files.put(str(local), remote)
            files.chmod(remote, mode)

    def get(self, remote: str, local: Path, *, timeout: float | None = None) -> None:
        """Copy a file out of the guest; ``timeout`` as for a command."""
        with self._sftp(timeout) as files:
            files.get(remote, str(local))

    def kernel_log(self, lines: int | None = None, *, timeout: float | None = None) -> str:
        """Return the guest's kernel log, or the end of it."""
        text = self.run("dmesg", timeout=timeout).text
        return text if lines is None else "\n".join(text.splitlines()[-lines:])

    def _start(
        self,
        command: str,
        wrapped: str,
        deadline: Deadline,
        data: bytes,
        kill: Callable[[int | None], Outcome] | None,
    ) -> Command:
        self.requests += 1
        connection, channel = self._channel(deadline)
        try:
            with _given_up_at(deadline, functools.partial(_hang_up, connection)):
                channel.exec_command(wrapped)
            started = Command(
                command,
                channel,
                self.machine,
                kill,
                lambda in_order: self._release(connection, in_order=in_order),
            )
            started.feed(data)
        except BaseException as error:
            self._release(connection, in_order=False)
            if isinstance(error, CONNECTION_ERRORS):
                raise self._unanswered(deadline, "before a command could start", error) from error
            raise
        return started

    def _unanswered(self, deadline: Deadline, when: str, error: Exception) -> LabError:
        """Make the error for a request that failed: because of the time, or of the connection."""
        if self.machine.alive and deadline.passed:
            return self.machine.hung(f"The guest did not answer within {deadline}")
        return broken(self.machine, when, error)

    def _connected(self, deadline: Deadline) -> fabric.Connection:
        """Return a connection with no command on it: an idle one, or a new one."""
        with self._pool:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_connected:
                    return connection
                self._open.pop(id(connection), None)
        connection = _connection(self.machine.ssh_port, self._keys, deadline.left())
        try:
            with (
                _held(self._login, deadline),
                _given_up_at(deadline, functools.partial(_cut_off, connection)),
            ):
                if not self.machine.alive:
                    raise EOFError("it has ended")
                connection.open()
        except paramiko.BadHostKeyException:
            die(
                f"Something else than the lab's guest answers on port {self.machine.ssh_port}.",
                f"rm -r {self._keys.host.parent}  # if the keys were changed while guests ran",
                status=Status.LOST,
            )
        except CONNECTION_ERRORS as error:
            raise self._unanswered(deadline, "before it let the lab log in", error) from error
        with self._pool:
            self._open[id(connection)] = connection
        return connection

    def _release(self, connection: fabric.Connection, *, in_order: bool) -> None:
        """Take a connection back. One whose command was cut short is not used again.

        For the end of that command, later, would be the end of the next one as well; see above.
        """
        with self._pool:
            if in_order and id(connection) in self._open:
                self._idle.append(connection)
                return
            self._open.pop(id(connection), None)
        _hang_up(connection)

    def _channel(self, deadline: Deadline) -> tuple[fabric.Connection, paramiko.Channel]:
        """Open a channel. Nothing has been asked of the guest yet, so a second try is harmless."""
        for last in (False, True):
            connection = self._connected(deadline)
            transport: paramiko.Transport = connection.transport
            try:
                return connection, transport.open_session(timeout=deadline.left())
            except CONNECTION_ERRORS as error:
                self._release(connection, in_order=False)
                if last or deadline.passed or not self.machine.alive:
                    when = "before a command could start"
                    raise self._unanswered(deadline, when, error) from error
        raise AssertionError("unreachable")

    def _kill(self, job: Job, session: int | None) -> Outcome:
        """Kill what a job started; find out by the way whether the guest still answers."""
        deadline = Deadline.after(self.machine.limits.teardown, "killing a command")
        killing = job.killing(session)
        try:
            attempt = self._start(killing, killing, deadline, b"", None)
            killed = attempt.wait(deadline.left()).status == 0
        except LabError:
            return _UNANSWERED
        if session is None:
            return Outcome("it had not even begun")
        return Outcome("it was killed" if killed else "it cannot be killed")

    @contextlib.contextmanager
    def _sftp(self, timeout: float | None) -> Iterator[paramiko.SFTPClient]:
        """Lend out the one file channel; it has a connection of its own, for all of its life."""
        self.requests += 1
        limits = self.machine.limits
        whole = Deadline.after(limits.command if timeout is None else timeout, "copying a file")
        deadline = whole
        with _held(self._copying, whole):
            try:
                if self._files is None:
                    deadline = whole.sooner(limits.connect, "a file channel")
                    self._files = self._file_channel(deadline)
                    deadline = whole
                with _given_up_at(whole, self._files.close):
                    yield self._files
            except CONNECTION_ERRORS as error:
                if isinstance(error, FileNotFoundError | PermissionError):
                    raise  # the file's fault, here or there, not the connection's
                self._files = None
                raise self._unanswered(deadline, "while a file was copied", error) from error

    def _file_channel(self, deadline: Deadline) -> paramiko.SFTPClient:
        connection, channel = self._channel(deadline)
        with _given_up_at(deadline, functools.partial(_hang_up, connection)):
            channel.invoke_subsystem("sftp")
            channel.settimeout(self.machine.limits.connect)
            return paramiko.SFTPClient(channel)


@contextlib.contextmanager
def _held(lock: threading.Lock, deadline: Deadline) -> Iterator[None]:
    """Hold a lock that other threads of this process hold for as long as a request takes."""
    if not lock.acquire(timeout=deadline.left()):
        die(
            f"Another thread kept the way to the guest for longer than {deadline}.",
            "see what else this test does at the same time",
            status=Status.FAILED,
        )
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _given_up_at(deadline: Deadline, close: Callable[[], None]) -> Iterator[None]:
    """Give up a request that gets no answer; paramiko would wait for ever in a hung guest."""
    timer = threading.Timer(deadline.left(), close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut_off(connection: fabric.Connection) -> None:
    """End a login from another thread; ``close`` would clear what the login still uses."""
    transport = connection.client.get_transport()
    if transport is not None:
        transport.close()


def _hang_up(connection: fabric.Connection) -> None:
    with contextlib.suppress(*CONNECTION_ERRORS):
        connection.close()


def _connection(port: int, keys: Keys, timeout: float) -> fabric.Connection:
    """Prepare a connection that trusts the lab's own host key and nothing else."""
    connection = fabric.Connection(
        "127.0.0.1",
        user="root",
        port=port,
        connect_timeout=timeout,
        # The user's ~/.ssh/config, agent and keys have no say here.
        config=fabric.Config(overrides={"load_ssh_configs": False}),
        connect_kwargs={
            "pkey": keys.client_key(),
            "allow_agent": False,
            "look_for_keys": False,
            "banner_timeout": timeout,
            "auth_timeout": timeout,
            "transport_factory": _transport,
        },
    )
    client: paramiko.SSHClient = connection.client
    client.get_host_keys().add(f"[127.0.0.1]:{port}", "ssh-ed25519", keys.host_key())
    # fabric's own policy would accept any key.
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    return connection


def _transport(sock: socket.socket, **options: object) -> paramiko.Transport:
    """Make a transport with the algorithms that are cheapest for an emulated processor."""
    # One small packet follows another here; held back for an acknowledgement, each costs 40 ms.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(sock, **options)  # type: ignore[arg-type]
    security = transport.get_security_options()
    security.kex = ("curve25519-sha256@libssh.org",)
    security.ciphers = ("aes128-ctr",)
    security.digests = ("hmac-sha2-256",)
    return transport
