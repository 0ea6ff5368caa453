# SPDX-License-Identifier: BSD-2-Clause
"""A stand-in for a guest: an SSH server in this process that runs commands on this host.

It shows dropbear's ways where they matter: a channel ends with its command, output comes through
one window, and a connection can vanish.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from lab.deadline import Limits
from lab.errors import LabError, Status
from lab.sshkey import Keys

_GONE = (OSError, EOFError, paramiko.SSHException)


class FakeMachine:
    """What ``Guest`` wants of a machine, with a death on demand."""

    def __init__(self, keys: Keys) -> None:
        self.alive = True
        self.limits = Limits(boot=5.0, connect=5.0, command=20.0, silence=2.0, teardown=3.0)
        self.kept: list[str] = []
        self.logins = 0
        self._keys = keys
        self._transports: list[paramiko.Transport] = []
        self._running: list[subprocess.Popen[bytes]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.ssh_port: int = self._listener.getsockname()[1]
        self.deaf = threading.Event()
        """While set, commands are taken and not begun."""
        self.silent = threading.Event()
        """While set, nothing more is answered on a connection once a sign of life was asked for."""
        self.before_exec: Callable[[], object] = lambda: None
        """Called before a command is taken."""
        self.hang: LabError | None = None
        self.no_interrupts = False
        """What a look at the processors finds."""
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def dies_within(self, seconds: float) -> bool:
        return not self.alive

    def lost(self, when: str) -> LabError:
        return self.hang or self.unresponsive(f"The guest was lost {when}: for a test.")

    def stuck(self) -> bool:
        return self.no_interrupts

    def hung(self, sentence: str) -> LabError:
        self.kept.append(sentence)
        self.alive = False
        self.hang = LabError(f"{sentence}: for a test.", "ls", status=Status.HUNG)
        return self.hang

    def unresponsive(self, sentence: str) -> LabError:
        self.kept.append(sentence)
        return LabError(sentence, "less console", status=Status.LOST, detail="console tail")

    def die(self, *, hang_up: bool) -> None:
        """End, with or without the connections noticing."""
        self.alive = False
        if hang_up:
            self.hang_up()

    def hang_up(self) -> None:
        for transport in self._transports:
            transport.close()

    def close(self) -> None:
        self.deaf.clear()
        self.silent.clear()
        # Closing alone does not wake the thread that accepts.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._listener.close()
        self.hang_up()
        for process in self._running:
            # The wrapper has put the command into a session, and so a group, of its own.
            for group in (*_children(process.pid), process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)
            process.wait()

    def run(self, channel: paramiko.Channel, command: bytes) -> None:
        process = subprocess.Popen(
            ["sh", "-c", command.decode()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._running.append(process)
        assert process.stdin
        assert process.stdout
        assert process.stderr
        pumps = [
            threading.Thread(target=_pump_out, args=(process.stdout, channel.sendall)),
            threading.Thread(target=_pump_out, args=(process.stderr, channel.sendall_stderr)),
        ]
        feeder = threading.Thread(target=_pump_in, args=(channel, process.stdin), daemon=True)
        for thread in (*pumps, feeder):
            thread.start()
        for thread in pumps:
            thread.join()
        with contextlib.suppress(*_GONE):
            channel.shutdown_write()
        status = process.wait()
        with contextlib.suppress(*_GONE):
            if status >= 0:  # a death by signal is not sent as a status
                channel.send_exit_status(status)
            channel.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.logins += 1
            transport = paramiko.Transport(connection)
            transport.add_server_key(self._keys.host_key())
            self._transports.append(transport)
            with contextlib.suppress(*_GONE):
                transport.start_server(server=_Server(self))


class _Server(paramiko.ServerInterface):
    def __init__(self, machine: FakeMachine) -> None:
        self._machine = machine

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        good = username == "root" and key == self._machine._keys.client_key()
        return AUTH_SUCCESSFUL if good else AUTH_FAILED

    def check_global_request(self, kind: str, msg: paramiko.Message) -> bool:
        while self._machine.silent.is_set():
            time.sleep(0.01)
        return False

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._machine.before_exec()
        if not self._machine.deaf.is_set():
            threading.Thread(target=self._machine.run, args=(channel, command), daemon=True).start()
        return True


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(") ")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def _pump_out(stream: IO[bytes], send: object) -> None:
    assert callable(send)
    with stream, contextlib.suppress(*_GONE):
        while data := os.read(stream.fileno(), 65536):
            send(data)


def _pump_in(channel: paramiko.Channel, stream: IO[bytes]) -> None:
    with contextlib.suppress(*_GONE), stream:
        while data := channel.recv(65536):
            stream.write(data)
            stream.flush()
