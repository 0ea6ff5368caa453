# SPDX-License-Identifier: BSD-2-Clause
"""QEMU: its command line for a machine, what it says back in text, and the driver that runs it."""

from __future__ import annotations

import re
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from lab.engine import Accelerator
from lab.errors import LabError, Status, die
from lab.machine import monitor
from lab.machine.backing import Backing, Inherited
from lab.machine.driver import manner_of_death, port_is_taken
from lab.machine.process import Process
from lab.machine.qmp import Qmp
from lab.machine.rundir import RunDir
from lab.machine.snapshot import Snapshots
from lab.machine.spec import MachineSpec

BINARY = "qemu-system-x86_64"

_GUEST_SSH = "22"
_START_TIMEOUT = 20.0
"""Seconds QEMU gets to answer on its monitor; it needs 0.2."""


class Qemu:
    """Drives one QEMU (see ``lab.machine.driver``), over its monitor."""

    title = "QEMU"

    def __init__(self, spec: MachineSpec) -> None:
        self.spec = spec
        self.ssh_port = spec.ssh_port
        self.process: Process | None = None
        self._qmp: Qmp | None = None
        self._backing: Backing | None = None
        self._snapshots: Snapshots | None = None

    @property
    def qmp(self) -> Qmp:
        """The monitor, with the events so far."""
        if self._qmp is None:
            raise RuntimeError("the machine was not started")
        return self._qmp

    @property
    def snapshots(self) -> Snapshots:
        """Saves and restores the machine; its guest must run the agent (``lab.reset``)."""
        if self._snapshots is None:
            raise RuntimeError("the machine was not started")
        return self._snapshots

    @property
    def alive(self) -> bool:
        """Whether the guest runs: at its end QEMU stands still (see ``_end_of_life``)."""
        return self._running and (self._qmp is None or self._qmp.seen("SHUTDOWN") is None)

    @property
    def was_reset(self) -> bool:
        """Whether the guest ended by a reset, wanted or by a triple fault."""
        shutdown = self._qmp.seen("SHUTDOWN") if self._qmp is not None else None
        return shutdown is not None and shutdown.data.get("reason") == "guest-reset"

    @property
    def panicked(self) -> bool:
        """Whether pvpanic told so."""
        return self._qmp is not None and self._qmp.seen("GUEST_PANICKED") is not None

    def require(self) -> None:
        """Die with ``MISSING`` if QEMU is not installed."""
        if shutil.which(BINARY) is None:
            die(
                f"{BINARY} is not installed.",
                "make setup  # installs the host packages",
                status=Status.MISSING,
            )

    def launch(self, directory: RunDir) -> Sequence[str]:
        """Start QEMU; its monitor comes through an inherited socket."""
        self._backing = backing = Backing(self.spec, directory.path)
        ours, theirs = socket.socketpair()
        with theirs, monitor.listen(directory.path) as listener:
            self._qmp = Qmp(ours, directory.events)
            self._snapshots = Snapshots(
                self._qmp, backing.agent, ram=backing.ram, disk=backing.disk, store=backing.store
            )
            argv = qemu_argv(
                self.spec,
                backing.inherited,
                name=f"dbos-lab-{directory.path.name}",
                console=directory.console,
                qmp_fd=theirs.fileno(),
                monitor_fd=listener.fileno(),
            )
            inherited = theirs.fileno(), listener.fileno(), *backing.descriptors
            self.process = Process(argv, directory.stderr, pass_fds=inherited)
            try:
                self.process.start()
            except OSError as error:
                die(
                    f"QEMU could not be started: {error}.",
                    "make setup  # installs the host packages",
                    status=Status.MISSING,
                )
        backing.started()
        return argv

    def settle(self, directory: RunDir) -> None:
        """Wait for the monitor's first answer, and ask it for the forwarded port."""
        try:
            self.qmp.connect(_START_TIMEOUT)
            self.qmp.execute("query-status", timeout=_START_TIMEOUT)
        except LabError:
            self._explain_refusal(directory)
            raise
        if not self.ssh_port:
            usernet = {"command-line": "info usernet"}
            port = forwarded_port(str(self.qmp.execute("human-monitor-command", usernet)))
            if port is None:
                die(
                    "QEMU does not say which port leads to the guest.",
                    f"cat {directory.path / 'argv'}  # its command line",
                    status=Status.LOST,
                )
            self.ssh_port = port

    def threads(self) -> Sequence[int]:
        """Ask QEMU: a thread for each processor, unless it counts instructions."""
        processors = cast(list[dict[str, int]], self.qmp.execute("query-cpus-fast"))
        return [processor["thread-id"] for processor in processors]

    def cause(self) -> str:
        """Say what the guest asked for, if it was that which ended it."""
        shutdown = self._qmp.seen("SHUTDOWN") if self._qmp is not None else None
        if shutdown is None or self.panicked:
            return ""
        reasons = {"guest-reset": "it rebooted", "guest-shutdown": "it powered itself off"}
        return reasons.get(str(shutdown.data.get("reason", "")), "")

    def facts(self) -> dict[str, object]:
        """Nothing beyond the spec decides a run of QEMU."""
        return {}

    def quit(self, timeout: float) -> bool:
        """Ask over the monitor."""
        if self._qmp is not None and self._running:
            try:
                self._qmp.execute("quit", timeout=timeout)
            except LabError:
                return False
        return True

    def close(self) -> None:
        """Hang up the monitor; give up the guest's memory."""
        if self._qmp is not None:
            self._qmp.close()
        if self._backing is not None:
            self._backing.close()
            self._backing = None

    @property
    def _running(self) -> bool:
        return self.process is not None and self.process.running

    def _explain_refusal(self, directory: RunDir) -> None:
        """Die with QEMU's own words if it has ended; they say more than a closed monitor."""
        if self.process is None or not self.process.wait(1.0):
            return
        said = directory.stderr.read_text(errors="replace")
        if self.spec.ssh_port and port_was_taken(said):
            raise port_is_taken(self.spec.ssh_port)
        die(
            f"QEMU did not start: {manner_of_death(self.title, self.process)}.",
            f"cat {directory.path / 'argv'}  # its command line",
            status=Status.LOST,
            detail=complaints(said),
        )


def qemu_argv(
    spec: MachineSpec,
    inherited: Inherited,
    *,
    name: str,
    console: Path,
    qmp_fd: int,
    monitor_fd: int,
) -> list[str]:
    """Build the command line of one machine.

    ``console`` is the file the serial port is written to; it lies in the machine's run directory,
    by whose path a survivor is recognised later. ``qmp_fd`` is an inherited, connected socket,
    ``monitor_fd`` an inherited, listening one (see ``lab.machine.monitor``).
    """
    return [
        BINARY,
        *("-name", f"{name},debug-threads=on"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-vga", "none"),
        # A guest that broke out of its vCPU must not be able to start programs here.
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *_processor(spec, inherited),
        *_boot(spec, inherited),
        *_end_of_life(spec),
        *_devices(spec, console),
        *_held_by_the_lab(inherited),
        # A socket pair has no path that could collide or be left behind, and no one else can
        # connect to it.
        *("-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control"),
        *("-chardev", f"socket,id=live,fd={monitor_fd},server=on,wait=off"),
        *("-mon", "chardev=live,mode=control"),
    ]


def _processor(spec: MachineSpec, inherited: Inherited) -> list[str]:
    return [
        *("-machine", "q35,memory-backend=ram"),
        *_accelerator(spec),
        *("-cpu", spec.cpu or spec.engine.cpu),
        *("-smp", str(spec.cpus + spec.engine.spares_first_cpu)),
        *("-m", str(spec.memory_mib)),
        *("-object", _ram(spec, inherited)),
    ]


def _accelerator(spec: MachineSpec) -> list[str]:
    if spec.engine.accelerator is not Accelerator.TCG:
        return ["-accel", "kvm"]
    if spec.engine.counts_instructions:
        # shift: an instruction is 2^0 ns. sleep: a guest with nothing to do sleeps in host time.
        # Else its clocks would leap from timer to timer while it waits for the lab, and within
        # a second of ours its SSH server would take the login for overdue.
        return ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=on"]
    # One host thread per vCPU: races between vCPUs are real ones, and two host cores are used.
    return ["-accel", "tcg,thread=multi"]


def _ram(spec: MachineSpec, inherited: Inherited) -> str:
    # Shared: the lab puts RAM back when a snapshot is restored, and QEMU leaves it out of its own.
    size = f"size={spec.memory_mib}M"
    return f"memory-backend-file,id=ram,{size},mem-path={inherited.ram},share=on"


def _boot(spec: MachineSpec, inherited: Inherited) -> list[str]:
    if spec.disk is not None:
        # snapshot: what is written goes to a file without a name, and with QEMU.
        disk = f"file={_escaped(spec.disk)},format=raw,snapshot=on"
        return [
            *("-drive", f"if=none,id=system,{disk}"),
            *("-device", "virtio-blk-pci,drive=system,bootindex=0"),
        ]
    # In an option's value QEMU wants a comma doubled; -kernel, -initrd and -append take no
    # options, so these are passed as they are.
    return [
        *("-kernel", str(inherited.kernel)),
        *("-initrd", str(spec.initramfs)),
        *("-append", " ".join(spec.arguments)),
    ]


def _end_of_life(spec: MachineSpec) -> list[str]:
    """How a panic shows: told at once by pvpanic, complete on the console, kept for a dump.

    The guest's pvpanic driver reports before the kernel has flushed its console. To stop the
    machine there (``panic=pause`` or ``shutdown``, QEMU's default) would cut off the backtrace, so
    QEMU only passes the event on. The guest (``panic=-1``) flushes and reboots. QEMU takes the
    reboot for a shutdown, and a shutdown for a pause: before anything is reset, so that memory and
    processors are still those of the dead kernel. The lab ends QEMU when it has seen enough.

    vmcoreinfo: with it the guest's qemu_fw_cfg driver leaves QEMU the note that a dump is read by.
    """
    reboot = "reset" if spec.disk is not None else "shutdown"
    return [
        *("-device", "pvpanic-pci", "-device", "vmcoreinfo"),
        *("-action", f"panic=none,reboot={reboot},shutdown=pause"),
    ]


def _devices(spec: MachineSpec, console: Path) -> list[str]:
    # restrict: the guest reaches nothing outside but what is forwarded in, so no run depends on a
    # network, and a hostile guest has none. romfile is emptied: nobody boots from the network,
    # and the firmware would spend time on it.
    forward = f"tcp:127.0.0.1:{spec.ssh_port}-:{_GUEST_SSH}"
    return [
        *("-netdev", f"user,id=net0,restrict=on,ipv6=off,hostfwd={forward}"),
        *("-device", "virtio-net-pci,netdev=net0,romfile="),
        *("-device", "virtio-rng-pci"),
        *("-chardev", f"file,id=console,path={_escaped(console)}", "-serial", "chardev:console"),
    ]


def _held_by_the_lab(inherited: Inherited) -> list[str]:
    """A scratch disk, for tests to write to, and a second serial port, for the agent."""
    return [
        *("-blockdev", f"driver=file,node-name=scratch,filename={inherited.disk}"),
        *("-device", "virtio-blk-pci,drive=scratch"),
        *("-chardev", f"socket,id=agent,fd={inherited.agent_fd}", "-serial", "chardev:agent"),
    ]


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")


def forwarded_port(usernet: str) -> int | None:
    """Find the host's port in the monitor's ``info usernet``, or ``None``.

    The line wanted reads ``TCP[HOST_FORWARD]  12  127.0.0.1 40123  10.0.2.15  22  0  0``.
    """
    pattern = rf"^\s*TCP\[HOST_FORWARD\]\s+\S+\s+127\.0\.0\.1\s+(\d+)\s+\S+\s+{_GUEST_SSH}\s"
    found = re.search(pattern, usernet + "\n", re.MULTILINE)
    return int(found[1]) if found else None


def port_was_taken(stderr: str) -> bool:
    """Tell whether QEMU gave up because it could not listen on the forwarded port."""
    return "Could not set up host forwarding rule" in stderr


def complaints(stderr: str) -> str:
    """QEMU's messages without those about CPU features that TCG lacks, which are expected."""
    return "\n".join(
        line for line in stderr.splitlines() if "TCG doesn't support requested feature" not in line
    )
