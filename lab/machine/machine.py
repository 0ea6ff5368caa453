# SPDX-License-Identifier: BSD-2-Clause
"""A running machine: start it, wait for it, know at once when it dies, leave nothing behind."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from lab.console import Console
from lab.crash.kit import collect
from lab.deadline import Deadline, Limits, limits_for
from lab.engine import Accelerator
from lab.errors import LabError, Status, die
from lab.machine.autopsy import GuestHungError, examine
from lab.machine.bochs import Bochs
from lab.machine.cpus import all_stuck, parse_registers, registers
from lab.machine.driver import Driver, manner_of_death
from lab.machine.pinning import pin
from lab.machine.provenance import git_state, host_facts
from lab.machine.qemu import Qemu
from lab.machine.qmp import Event, Qmp
from lab.machine.rundir import USER, RunDir
from lab.machine.snapshot import Snapshots
from lab.machine.spec import MachineSpec

READY = b"dbos-lab: ready"
"""What the guest's init prints once its sshd listens."""
INIT_FAILED = b"dbos-lab: init failed: "
"""What it prints, with the reason, before it powers off."""

_LAST_WORDS = {Accelerator.KVM: 2.0, Accelerator.TCG: 2.0, Accelerator.BOCHS: 30.0}
"""Seconds a panicking guest gets to flush its console and reboot. It needs milliseconds; but Bochs
plays the serial line too, at a thousand characters to a second of the guest's time."""


class Machine:
    """One emulator and its guest. As a context manager: leaving the block ends it in any case.

    Its directory is removed at the end, and kept if the block was left by an exception, or
    ``keep`` was called, or the machine was found dead or hung when it was needed.

    ``limits`` bound every wait for it; those of its engine if none are given.
    """

    def __init__(self, spec: MachineSpec, runs: Path, limits: Limits | None = None) -> None:
        self.spec = spec
        self.limits = limits or limits_for(spec.engine.accelerator)
        self.ssh_port = 0
        self.pid = 0
        self._runs = runs
        self._directory: RunDir | None = None
        self._driver: Driver = driver_for(spec)
        self._failure = ""
        self._hung = False
        self._hang: GuestHungError | None = None  # made once it has been examined
        self._examining = threading.Lock()
        self._dumped = False
        self._provenance: dict[str, object] = {}

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
        """The machine's private directory: console, record, the emulator's messages."""
        return self._owned().path

    @property
    def console(self) -> Console:
        """The serial console from its beginning; each call gives a reader of its own."""
        return Console(self._owned().console)

    @property
    def qmp(self) -> Qmp:
        """QEMU's monitor, with the events so far. Dies with ``MISSING`` on another engine."""
        return self._qemu.qmp

    @property
    def events(self) -> tuple[Event, ...]:
        """What QEMU told on its own account so far; nothing on an engine without a monitor."""
        return self._driver.qmp.events if isinstance(self._driver, Qemu) else ()

    @property
    def snapshots(self) -> Snapshots:
        """Saves and restores this machine; its guest must run the agent (``lab.reset``).

        Dies with ``MISSING`` on an engine that cannot.
        """
        return self._qemu.snapshots

    @property
    def threads(self) -> Sequence[int]:
        """The ids of the threads that play its processors."""
        return self._driver.threads()

    @property
    def alive(self) -> bool:
        """False once the guest has ended, panicked or was found hung. Cheap; poll it freely.

        The emulator may stay behind, standing still, until ``stop``.
        """
        return self._driver.alive and not self.panicked and not self._hung

    @property
    def panicked(self) -> bool:
        """Whether the guest's kernel panicked, other than because the lab made it do so."""
        return self._driver.panicked and not self._hung

    @property
    def ended(self) -> bool:
        """Whether the emulator itself has ended."""
        return self._driver.process is None or not self._driver.process.running

    @property
    def crashed(self) -> bool:
        """Whether the guest's kernel panicked, or was reset, as a triple fault does it."""
        return self.panicked or (isinstance(self._driver, Qemu) and self._driver.was_reset)

    def start(self) -> None:
        """Start the machine; returns when the guest begins to run.

        A failure leaves nothing running.
        """
        self._driver.require()
        self._directory = RunDir.create(self._runs)
        self._provenance = {
            "started": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "owner": os.getpid(),
            "git": git_state(Path(__file__).resolve().parents[2]),
            "host": host_facts(),
        }
        try:
            self._directory.console.touch(mode=0o600)
            argv = self._driver.launch(self._directory)
            self.pid = self._driver.process.pid if self._driver.process is not None else 0
            self._directory.write_start(self.pid, argv, self._record())
            self._driver.settle(self._directory)
            self.ssh_port = self._driver.ssh_port
            if self.spec.pinned:
                pin(self._driver.threads(), self.spec.pinned)
            self._directory.write_record(self._record())
        except BaseException as error:
            if isinstance(error, LabError):
                self.keep(error.message)
            self.stop()
            raise

    def wait_ready(self, timeout: float | None = None) -> float:
        """Wait until the guest's sshd listens; return the seconds that took.

        Dies with the end of the console: with ``LOST`` if the guest says that it failed or if the
        emulator ends, and with ``HUNG`` if nothing of the kind happens within ``timeout`` seconds,
        which is the machine's limit for a boot unless given.
        """
        begun = time.monotonic()
        deadline = Deadline.after(self.limits.boot if timeout is None else timeout, "the boot")
        console = self.console
        marker = console.wait_for((READY, INIT_FAILED), deadline.left(), lambda: self.alive)
        if marker == READY:
            return time.monotonic() - begun
        if marker == INIT_FAILED:
            self.dies_within(_LAST_WORDS[self.spec.engine.accelerator])
        if marker == INIT_FAILED or not self.alive:
            raise self.lost("before it was ready")
        said = "no ready line came" if console.tail() else "its console stayed silent"
        raise self.hung(f"The guest did not come up within {deadline}, {said}")

    def dies_within(self, seconds: float) -> bool:
        """Wait a little for the machine to die; tell whether it has.

        For a caller whose connection broke: it learns of that some milliseconds before the end of
        the emulator is known here.
        """
        deadline = time.monotonic() + seconds
        while self.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        return not self.alive

    def lost(self, when: str) -> LabError:
        """Describe the death of the machine, as an error to raise; its directory will be kept.

        ``when`` ends the sentence "The guest was lost ...", as in "before it was ready".
        """
        if self._hung:
            return self.hung("")
        if self.panicked:
            self.hear_out()
        error = self.unresponsive(f"The guest was lost {when}: {self._cause()}.")
        if self.panicked:
            error.hint = f"dbos-lab crash {self.directory}  # the stack, with file and line"
        return error

    def unresponsive(self, sentence: str) -> LabError:
        """Describe a machine that runs and does not answer, with the end of its console."""
        self.keep(sentence)
        return LabError(
            sentence,
            f"less {self._owned().console}",
            status=Status.LOST,
            detail=self.console.tail(25),
        )

    def stuck(self) -> bool:
        """Whether, at this moment, no processor can be interrupted. Takes milliseconds."""
        if self._monitor is None:
            return False
        try:
            return all_stuck(parse_registers(registers(self._monitor, self.limits.teardown)))
        except LabError:
            return False

    def hung(self, sentence: str) -> LabError:
        """Examine a guest that gives no sign of life; return the error to raise, always the same.

        ``sentence`` says what it did not do, without the full stop. The machine counts as dead from
        now on, and its directory will be kept. Other threads wait here until it is examined.
        """
        with self._examining:
            self._hung = True
            if self._hang is None:
                deadline = Deadline.after(self.limits.teardown, "examining the guest")
                findings = examine(self._monitor, self.directory, self.console, deadline)
                hint = f"ls {self.directory}  # console, registers, answer to the NMI"
                self._hang = GuestHungError(sentence, hint, findings, self.console.tail(25))
                self.keep(self._hang.message)
            return self._hang

    def wait_end(self, seconds: float) -> bool:
        """Wait a little for the end of the emulator, which outlives its guest; tell if it came."""
        return self._driver.process is None or self._driver.process.wait(seconds)

    def claim(self, user: str) -> None:
        """Note who uses the machine now, a test or a command, for ``dbos-lab ps``."""
        (self.directory / USER).write_text(user + "\n")

    def keep(self, failure: str) -> None:
        """Keep the directory after the end; ``failure`` says why. The first reason stays."""
        self._failure = self._failure or failure

    def crash_kit(self) -> Path:
        """Complete the directory after a crash: memory dump, kernel log, stack with file and line.

        Takes seconds, bounded; done once. ``stop`` does it where the directory is kept.
        """
        if not self._dumped:
            self._dumped = True
            collect(self.directory, self._monitor)
        return self.directory

    def stop(self) -> None:
        """End the machine within seconds, by force if need be. Harmless if it has ended.

        If it crashed or hung and its directory is kept, memory is dumped first (see ``crash_kit``).
        """
        process = self._driver.process
        try:
            if self._failure and (self.crashed or self._hang is not None):
                self.crash_kit()
            deadline = Deadline.after(self.limits.teardown / 2, "the emulator to end by itself")
            if process is not None and not (
                self._driver.quit(deadline.left()) and process.wait(deadline.left())
            ):
                process.end(self.limits.teardown / 4)
        except BaseException:  # Ctrl-C once more
            if process is not None:
                process.end(0.5)
            raise
        finally:
            self._driver.close()
            self._leave_directory()

    @property
    def _qemu(self) -> Qemu:
        if not isinstance(self._driver, Qemu):
            die(
                f"The engine {self.spec.engine.name} has no monitor: it is not QEMU.",
                "choose an engine that is, as --lab-engine svm-tcg",
                status=Status.MISSING,
            )
        return self._driver

    @property
    def _monitor(self) -> Qmp | None:
        """The monitor, if this emulator has one and still runs."""
        process = self._driver.process
        running = process is not None and process.running
        return self._driver.qmp if running and isinstance(self._driver, Qemu) else None

    def hear_out(self) -> None:
        """Let a panicking guest finish: it tells pvpanic first and the console afterwards.

        The last thing it does is to reset the machine, where QEMU stands still. Another emulator
        that does not end by then is ended, or connections through it would hang.
        """
        process = self._driver.process
        patience = _LAST_WORDS[self.spec.engine.accelerator]
        if self._monitor is not None:
            self._monitor.wait_event("SHUTDOWN", patience)
        elif process is not None and not process.wait(patience):
            process.end()

    def _cause(self) -> str:
        """Say in half a sentence why the machine is no longer alive."""
        end = self.console.tail(400)
        for pattern in (r"Kernel panic - not syncing: .*", r"dbos-lab: init failed: .*"):
            if found := re.search(pattern, end):
                return found[0]
        if said := self._driver.cause():
            return said
        if self.panicked:
            return "its kernel panicked"
        return manner_of_death(self._driver.title, self._driver.process)

    def _record(self) -> dict[str, object]:
        return {
            "engine": self.spec.engine.name,
            "cpu": self.spec.cpu or self.spec.engine.cpu,
            "cpus": self.spec.cpus,
            "memory_mib": self.spec.memory_mib,
            "kernel": str(self.spec.kernel),
            "kernel_release": self.spec.kernel_release,
            "initramfs": str(self.spec.initramfs),
            "boot_arguments": list(self.spec.arguments),
            **({"disk": str(self.spec.disk)} if self.spec.disk is not None else {}),
            "profile": self.spec.profile,
            "pinned": list(self.spec.pinned),
            "image_digest": self.spec.image_digest,
            "pid": self.pid,
            "ssh_port": self.ssh_port,
            **self._driver.facts(),
            **self._provenance,
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


def driver_for(spec: MachineSpec) -> Driver:
    """Return the driver of the emulator that plays this machine's engine."""
    return Bochs(spec) if spec.engine.accelerator is Accelerator.BOCHS else Qemu(spec)
