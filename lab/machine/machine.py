# SPDX-License-Identifier: BSD-2-Clause
"""A running machine: start it, wait for it, know at once when it dies, leave nothing behind."""

from __future__ import annotations

import re
import shutil
import signal
import socket
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from lab.console import Console
from lab.errors import LabError, Status, die
from lab.machine import qemu
from lab.machine.process import Process
from lab.machine.qmp import Qmp
from lab.machine.rundir import RunDir
from lab.machine.spec import MachineSpec

READY = b"dbos-lab: ready"
"""What the guest's init prints once its sshd listens."""
INIT_FAILED = b"dbos-lab: init failed: "
"""What it prints, with the reason, before it powers off."""

_START_TIMEOUT = 20.0
"""Seconds QEMU gets to answer on its monitor; it needs 0.2."""
_LAST_WORDS = 2.0
"""Seconds a panicking guest gets to flush its console and reboot; it needs milliseconds."""


class Machine:
    """One QEMU. Use it as a context manager: leaving the block ends it, whatever happened.

    Its directory is removed at the end, and kept if the block was left by an exception, or
    ``keep`` was called, or the machine was found dead when it was needed.
    """

    def __init__(self, spec: MachineSpec, runs: Path) -> None:
        self.spec = spec
        self.ssh_port = 0
        self.pid = 0
        self._runs = runs
        self._directory: RunDir | None = None
        self._process: Process | None = None
        self._qmp: Qmp | None = None
        self._failure = ""

    def __enter__(self) -> Machine:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None and not isinstance(error, KeyboardInterrupt | GeneratorExit):
            self.keep(f"{type(error).__name__}: {error}")
        self.stop()

    @property
    def directory(self) -> Path:
        """The machine's private directory: console, record, QEMU's messages."""
        return self._owned().path

    @property
    def console(self) -> Console:
        """The serial console from its beginning; each call gives a reader of its own."""
        return Console(self._owned().console)

    @property
    def qmp(self) -> Qmp:
        """QEMU's monitor, with the events so far."""
        if self._qmp is None:
            raise RuntimeError("the machine was not started")
        return self._qmp

    @property
    def alive(self) -> bool:
        """False once QEMU has ended or the guest's kernel has panicked. Cheap; poll it freely."""
        running = self._process is not None and self._process.running
        return running and not self.panicked

    @property
    def panicked(self) -> bool:
        """Whether the guest's kernel reported a panic."""
        return self._qmp is not None and self._qmp.seen("GUEST_PANICKED") is not None

    def start(self) -> None:
        """Start QEMU; returns when the guest begins to run. A failure leaves nothing running."""
        if shutil.which(qemu.BINARY) is None:
            die(
                f"{qemu.BINARY} is not installed.",
                "make setup  # installs the host packages",
                status=Status.MISSING,
            )
        self._directory = RunDir.create(self._runs)
        try:
            self._launch(self._directory)
            self.ssh_port = self.spec.ssh_port or self._forwarded_port()
        except BaseException as error:
            if isinstance(error, LabError):
                self.keep(error.message)
            self.stop()
            raise

    def wait_ready(self, timeout: float = 60.0) -> float:
        """Wait until the guest's sshd listens; return the seconds that took.

        Dies with ``LOST`` and the end of the console if the guest says that it failed, if QEMU
        ends, or if nothing of the kind happens within ``timeout`` seconds.
        """
        begun = time.monotonic()
        console = self.console
        marker = console.wait_for((READY, INIT_FAILED), timeout, lambda: self.alive)
        if marker == READY:
            return time.monotonic() - begun
        if marker == INIT_FAILED:
            self.dies_within(_LAST_WORDS)
        if marker == INIT_FAILED or not self.alive:
            raise self.lost("before it was ready")
        said = "no ready line came" if console.tail() else "its console stayed silent"
        raise self.unresponsive(f"The guest did not come up within {timeout:g} s: {said}.")

    def dies_within(self, seconds: float) -> bool:
        """Wait a little for the machine to die; tell whether it has.

        For a caller whose connection broke: it learns of that some milliseconds before the end of
        QEMU is known here.
        """
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self.alive

    def lost(self, when: str) -> LabError:
        """Describe the death of the machine, as an error to raise; its directory will be kept.

        ``when`` ends the sentence "The guest was lost ...", as in "before it was ready".
        """
        # Let a panicking guest end by itself: only then is the backtrace complete. If it cannot,
        # end it, or connections through it would hang.
        if self.panicked and self._process is not None and not self._process.wait(_LAST_WORDS):
            self._process.end()
        return self.unresponsive(f"The guest was lost {when}: {self._cause()}.")

    def unresponsive(self, sentence: str) -> LabError:
        """Describe a machine that runs and does not answer, with the end of its console."""
        self.keep(sentence)
        return LabError(
            sentence,
            f"less {self._owned().console}",
            status=Status.LOST,
            detail=self.console.tail(25),
        )

    def keep(self, failure: str) -> None:
        """Keep the directory after the end; ``failure`` says why. The first reason stays."""
        self._failure = self._failure or failure

    def stop(self) -> None:
        """End the machine within seconds, by force if need be. Harmless if it has ended."""
        try:
            if self._process is not None and not (self._quit() and self._process.wait(2.0)):
                self._process.end()
        except BaseException:  # Ctrl-C once more
            if self._process is not None:
                self._process.end(0.5)
            raise
        finally:
            if self._qmp is not None:
                self._qmp.close()
            self._leave_directory()

    def _quit(self) -> bool:
        """Ask QEMU to end; tell whether it took the request, or had ended already."""
        if self._qmp is not None and self.alive:
            try:
                self._qmp.execute("quit", timeout=2.0)
            except LabError:
                return False
        return True

    def _launch(self, directory: RunDir) -> None:
        directory.console.touch(mode=0o600)
        ours, theirs = socket.socketpair()
        with theirs:
            self._qmp = Qmp(ours)
            argv = qemu.qemu_argv(
                self.spec,
                name=f"dbos-lab-{directory.path.name}",
                console=directory.console,
                qmp_fd=theirs.fileno(),
            )
            self._process = Process(argv, directory.stderr, pass_fds=(theirs.fileno(),))
            try:
                self.pid = self._process.start()
            except OSError as error:
                die(
                    f"QEMU could not be started: {error}.",
                    "make setup  # installs the host packages",
                    status=Status.MISSING,
                )
        directory.write_start(self.pid, argv, self._record())
        try:
            self._qmp.connect(_START_TIMEOUT)
            self._qmp.execute("query-status", timeout=_START_TIMEOUT)
        except LabError:
            self._explain_refusal(directory)
            raise

    def _explain_refusal(self, directory: RunDir) -> None:
        """Die with QEMU's own words if it has ended; they say more than a closed monitor."""
        if self._process is None or not self._process.wait(1.0):
            return
        said = directory.stderr.read_text(errors="replace")
        if self.spec.ssh_port and qemu.port_was_taken(said):
            die(
                f"Port {self.spec.ssh_port} of 127.0.0.1 is taken.",
                "choose another port, or none: the lab then finds a free one",
                status=Status.USAGE,
            )
        die(
            f"QEMU did not start: {_manner_of_death(self._process.status)}.",
            f"cat {directory.path / 'argv'}  # its command line",
            status=Status.LOST,
            detail=qemu.complaints(said),
        )

    def _forwarded_port(self) -> int:
        answer = self.qmp.execute("human-monitor-command", {"command-line": "info usernet"})
        port = qemu.forwarded_port(str(answer))
        if port is None:
            raise self.unresponsive("QEMU does not say which port leads to the guest.")
        return port

    def _cause(self) -> str:
        """Say in half a sentence why the machine is no longer alive."""
        end = self.console.tail(400)
        for pattern in (r"Kernel panic - not syncing: .*", r"dbos-lab: init failed: .*"):
            if found := re.search(pattern, end):
                return found[0]
        shutdown = self._qmp.seen("SHUTDOWN") if self._qmp is not None else None
        reason = str(shutdown.data.get("reason", "")) if shutdown is not None else ""
        if self.panicked:
            return "its kernel panicked"
        if reason == "guest-reset":
            return "it rebooted"
        if reason == "guest-shutdown":
            return "it powered itself off"
        return _manner_of_death(self._process.status if self._process is not None else None)

    def _record(self) -> dict[str, object]:
        return {
            "engine": self.spec.engine.name,
            "cpu": self.spec.cpu or self.spec.engine.cpu,
            "cpus": self.spec.cpus,
            "memory_mib": self.spec.memory_mib,
            "kernel": str(self.spec.kernel),
            "initramfs": str(self.spec.initramfs),
            "boot_arguments": list(self.spec.arguments),
            "profile": self.spec.profile,
            "image_digest": self.spec.image_digest,
            "pid": self.pid,
            "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }

    def _owned(self) -> RunDir:
        if self._directory is None:
            raise RuntimeError("the machine was not started")
        return self._directory

    def _leave_directory(self) -> None:
        if self._directory is None:
            return
        if self._failure:
            self._directory.release(self._failure)
        else:
            self._directory.remove()


def _manner_of_death(status: int | None) -> str:
    if status is None:
        return "QEMU still runs"
    if status < 0:
        return f"QEMU was killed by {signal.Signals(-status).name}"
    return f"QEMU ended with status {status}"
