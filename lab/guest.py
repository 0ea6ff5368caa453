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
import logging
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

import fabric  # type: ignore[import-untyped]
import paramiko

from lab.command import (
    CONNECTION_ERRORS,
    Command,
    Outcome,
    Result,
    broken,
    in_own_session,
    killing,
)
from lab.errors import LabError, Status, die
from lab.machine.machine import Machine
from lab.sshkey import Keys

# What paramiko logs as an error (a guest that went away) is reported as an exception here.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

_ANSWER_TIMEOUT = 30.0
"""Seconds the guest's sshd gets to answer; it needs milliseconds, but hosts can be busy."""
_KILL_TIMEOUT = 5.0

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
        self._release(self._connected(_ANSWER_TIMEOUT), in_order=True)

    def close(self) -> None:
        """Hang up; harmless when the guest is gone. Commands that still run are cut off."""
        with self._pool:
            connections, self._open, self._idle = self._open, {}, []
        for connection in connections.values():
            _hang_up(connection)

    def run(
        self,
        command: str,
        *,
        timeout: float = 60.0,
        input: bytes | None = None,  # noqa: A002 (the name subprocess.run gives it)
        check: bool = False,
    ) -> Result:
        """Run a shell command and wait for its end.

        A process it leaves behind goes on, but what that writes later is lost. After ``timeout``
        seconds the command's whole session is killed and ``CommandTimeoutError`` raised. With
        ``check``, a status other than 0 dies with ``FAILED``. If the machine dies meanwhile, this
        dies with ``LOST`` within a fraction of a second.
        """
        return self.start(command, timeout=timeout, input=input).wait(timeout, check=check)

    def start(
        self,
        command: str,
        *,
        timeout: float = _ANSWER_TIMEOUT,
        input: bytes | None = None,  # noqa: A002
    ) -> Command:
        """Start a shell command and leave it to the caller to wait for it.

        ``timeout`` is for the start alone.
        """
        return self._start(command, timeout, input or b"", self._kill)

    def put(self, local: Path, remote: str, mode: int = 0o644) -> None:
        """Copy a file into the guest."""
        with self._sftp() as files:
            files.put(str(local), remote)
            files.chmod(remote, mode)

    def get(self, remote: str, local: Path) -> None:
        """Copy a file out of the guest."""
        with self._sftp() as files:
            files.get(remote, str(local))

    def kernel_log(self, lines: int | None = None, *, timeout: float = 20.0) -> str:
        """Return the guest's kernel log, or the end of it."""
        text = self.run("dmesg", timeout=timeout).text
        return text if lines is None else "\n".join(text.splitlines()[-lines:])

    def _start(
        self,
        command: str,
        timeout: float,
        data: bytes,
        kill: Callable[[int | None], Outcome],
    ) -> Command:
        connection, channel = self._channel(timeout)
        try:
            with _closed_after(channel, min(timeout, _ANSWER_TIMEOUT)):
                channel.exec_command(in_own_session(command))
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
                raise broken(self.machine, "before a command could start", error) from error
            raise
        return started

    def _connected(self, timeout: float) -> fabric.Connection:
        """Return a connection with no command on it: an idle one, or a new one."""
        with self._pool:
            while self._idle:
                connection = self._idle.pop()
                if connection.is_connected:
                    return connection
                self._open.pop(id(connection), None)
        connection = _connection(self.machine.ssh_port, self._keys, timeout)
        try:
            with self._login:
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
            raise broken(self.machine, "before it let the lab log in", error) from error
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

    def _channel(self, timeout: float) -> tuple[fabric.Connection, paramiko.Channel]:
        """Open a channel. Nothing has been asked of the guest yet, so a second try is harmless."""
        timeout = min(timeout, _ANSWER_TIMEOUT)
        for last in (False, True):
            connection = self._connected(timeout)
            transport: paramiko.Transport = connection.transport
            try:
                return connection, transport.open_session(timeout=timeout)
            except CONNECTION_ERRORS as error:
                self._release(connection, in_order=False)
                if last or not self.machine.alive:
                    raise broken(self.machine, "before a command could start", error) from error
        raise AssertionError("unreachable")

    def _kill(self, session: int | None) -> Outcome:
        """Kill what runs in a session; find out by the way whether the guest still answers."""
        command = "true" if session is None else killing(session)
        try:
            # One that does not end either is given up, not killed in turn.
            attempt = self._start(command, _KILL_TIMEOUT, b"", lambda _session: _UNANSWERED)
            killed = attempt.wait(_KILL_TIMEOUT).status == 0
        except LabError:
            return _UNANSWERED
        if session is None:
            return Outcome("it had not even begun")
        return Outcome("it was killed" if killed else "it cannot be killed")

    @contextlib.contextmanager
    def _sftp(self) -> Iterator[paramiko.SFTPClient]:
        """Lend out the one file channel; it has a connection of its own, for all of its life."""
        with self._copying:
            try:
                if self._files is None:
                    _, channel = self._channel(_ANSWER_TIMEOUT)
                    with _closed_after(channel, _ANSWER_TIMEOUT):
                        channel.invoke_subsystem("sftp")
                    channel.settimeout(_ANSWER_TIMEOUT)
                    self._files = paramiko.SFTPClient(channel)
                yield self._files
            except CONNECTION_ERRORS as error:
                if isinstance(error, FileNotFoundError | PermissionError):
                    raise  # the file's fault, here or there, not the connection's
                self._files = None
                raise broken(self.machine, "while a file was copied", error) from error


@contextlib.contextmanager
def _closed_after(channel: paramiko.Channel, seconds: float) -> Iterator[None]:
    """Give up a request that gets no answer; paramiko would wait for ever in a hung guest."""
    timer = threading.Timer(seconds, channel.close)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


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
