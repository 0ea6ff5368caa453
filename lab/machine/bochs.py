# SPDX-License-Identifier: BSD-2-Clause
"""Bochs: its configuration for a machine, what its log says, and the driver that runs it.

An interpreter of x86, a hundred times slower than hardware, with what no other emulator has: VT-x,
and runs that repeat to the instruction (``lab.machine.interleaving``). The kernel does not come
from a disk but lies in memory at power-on (``lab.machine.ramimage``).

Bochs draws the guest's screen on a terminal and refuses to start without one, unless ``TERM`` names
a terminal that can do nothing. Debian's build starts in a debugger, hence ``commands``; where it
would ask what to do next, it finds its input at the end, and ends.

A triple fault in VT-x's guest mode is an exit; in SVM's it is one too, but only after the debugger
has been asked and a panic of the processor got over. So for SVM both are; and as that goes for the
machine's own triple faults too, these have to be found (``shut_down``).
"""

from __future__ import annotations

import re
import shutil
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from lab.console import Console, MarkerScanner
from lab.engine import Accelerator, Engine, Vendor
from lab.errors import LabError, Status, die
from lab.machine import loader, ramimage
from lab.machine.driver import manner_of_death, port_is_taken
from lab.machine.process import Process
from lab.machine.rundir import RunDir
from lab.machine.spec import MachineSpec

BINARY = "bochs"
SHUTDOWNS = 1000
"""So many guests of a hypervisor on SVM may shut down before Bochs ends."""

INSTRUCTIONS_PER_SECOND = 50_000_000
"""To a second of the guest's time: about what Bochs does in a real one. More would make the guest's
pauses cost more real time, less would leave fewer instructions between two clock interrupts."""

_PANIC = b"Kernel panic - not syncing"
_START_TIMEOUT = 30.0
"""Seconds Bochs gets to load its devices; it needs one."""
_PORT_TRIES = 20
_POLL = 0.02


def boot_arguments(engine: Engine) -> tuple[str, ...]:
    """Return what Linux must be told of a machine that Bochs does not describe correctly.

    The model ``corei7_skylake_x`` says in CPUID that its time-stamp counter runs at 3.5 GHz, and it
    counts instructions: believed, one second of the guest's time lasts seventy. It gets the size
    of the compacted XSAVE area wrong; Linux then warns and does without XSAVE and AVX. And it draws
    its random numbers from a generator that Bochs seeds with the time of day, so no two runs would
    be the same; a program in the guest that executes RDRAND itself still gets these.
    """
    if engine.accelerator is not Accelerator.BOCHS or engine.vendor is not Vendor.VMX:
        return ()
    tsc_khz = INSTRUCTIONS_PER_SECOND // 1000
    return (f"tsc_early_khz={tsc_khz}", "clearcpuid=xsavec,xsaves,rdrand,rdseed")


def bochsrc(spec: MachineSpec, directory: Path) -> str:
    """Describe the machine to Bochs; every file it reads or writes lies in ``directory``.

    No disk and no screen: nothing looks for them, so nothing waits for them.
    """
    order = spec.interleaving
    return "\n".join(
        [
            "plugin_ctrl: unmapped=1, biosdev=1, extfpuirq=1, serial=1, e1000=1, "
            "speaker=0, parallel=0, gameport=0, iodebug=0",
            "config_interface: textconfig",
            "display_library: term",
            f"memory: guest={spec.memory_mib}, host={spec.memory_mib}",
            "romimage: file=$BXSHARE/BIOS-bochs-latest, options=fastboot",
            f'optromimage1: file="{directory}/loader.rom", address={loader.ADDRESS:#x}',
            f'optramimage1: file="{directory}/ram.image", address={ramimage.ADDRESS:#x}',
            f"cpu: model={spec.cpu or spec.engine.cpu}, count={spec.cpus}, "
            f"quantum={order.quantum}, ips={INSTRUCTIONS_PER_SECOND}, reset_on_triple_fault=0",
            # The guest's time is a count of instructions; so is the screen's.
            f"clock: sync=none, time0={order.time0}",
            "vga: realtime=0, update_freq=1",
            f'e1000: enabled=1, mac=52:54:00:12:34:56, ethmod=slirp, script="{directory}/slirp"',
            f'com1: enabled=1, mode=file, dev="{directory}/console"',
            f'log: "{directory}/bochs.log"',
            f"panic: {panic_action(spec)}",
            "error: action=report",
            "info: action=report",
            "",
        ]
    )


def commands(engine: Engine) -> str:
    """Return what the debugger is to do at power-on and at each of its stops."""
    return "continue\n" * (1 + SHUTDOWNS * (engine.vendor is Vendor.SVM))


def panic_action(spec: MachineSpec) -> str:
    """Say what is to follow a panic of Bochs: its end, but for one of an SVM processor."""
    cpus = range(spec.cpus if spec.engine.vendor is Vendor.SVM else 0)
    return ", ".join(["action=fatal", *(f"cpu{number}=report" for number in cpus)])


def slirp_config(port: int) -> str:
    """Describe the network: nothing reaches out of it, and one port leads in."""
    return f"# slirp config\nrestricted = 1\nhostfwd = tcp:127.0.0.1:{port}-:22\n"


def devices_are_up(log: str) -> bool:
    """Tell from Bochs's log whether memory is loaded and the network set up."""
    return "E1000 initialized" in log


def port_was_taken(log: str) -> bool:
    """Tell whether Bochs could not listen on the forwarded port. It then runs on without it."""
    return "could not set up host forwarding rule" in log


def end_of_guest(log: str) -> str:
    """Say in half a sentence how the guest ended, if the log tells.

    After a guest's reset the BIOS trips over registers that Bochs left as they were. That is the
    end, which suits us; so a reset has to be looked for before a triple fault.
    """
    if log.count("bx_pc_system_c::Reset(") > 1:
        return "it rebooted"
    if "ACPI control: soft power off" in log:
        return "it powered itself off"
    if "exception with no resolution" in log:
        return "its processor shut down after a triple fault"
    return ""


_STANDSTILL = re.compile(
    r"^\((\d+)\)\.\[\d+\] (.+)\n"  # the processor that made the debugger stop, and its place
    r"Next at t=\d+\n"
    r"(?:\(\d+\) .+\n)*?"
    r"\(\1\) \2$",
    re.MULTILINE,
)


def shut_down(output: str) -> bool:
    """Tell from what the debugger says at its stops whether a processor stands still since then.

    One whose guest shut down does not: the stop is over at the hypervisor's next instruction.
    """
    return _STANDSTILL.search(output) is not None


class Bochs:
    """Drives one Bochs (see ``lab.machine.driver``)."""

    title = "Bochs"

    def __init__(self, spec: MachineSpec) -> None:
        self.spec = spec
        self.ssh_port = spec.ssh_port
        self.process: Process | None = None
        self._console: Console | None = None
        self._scanner = MarkerScanner((_PANIC,))
        self._panicked = False
        self._looking = threading.Lock()
        self._log: Path | None = None
        self._output: Path | None = None

    def require(self) -> None:
        """Die with ``MISSING`` if Bochs is not installed."""
        if shutil.which(BINARY) is None:
            die(
                f"{BINARY} is not installed.",
                "make setup  # installs the host packages",
                status=Status.MISSING,
            )

    def launch(self, directory: RunDir) -> Sequence[str]:
        """Start Bochs; returns once memory is loaded and a port found that nobody else has.

        Bochs cannot be given port 0 and be asked later. So one is chosen that was free a moment
        ago; Bochs itself says whether it got it, and is started again if not.
        """
        path = directory.path
        self._console = Console(directory.console)
        self._log = path / "bochs.log"
        self._output = directory.stderr
        config = [*("-q", "-f", str(path / "bochsrc")), *("-rc", str(path / "commands"))]
        argv = ["env", "TERM=dumb", BINARY, *config]
        self._prepare(path)
        try:
            for _ in range(1 if self.spec.ssh_port else _PORT_TRIES):
                self.ssh_port = self.spec.ssh_port or _free_port()
                (path / "slirp").write_text(slirp_config(self.ssh_port))
                if self._start(argv, directory):
                    return argv
        finally:
            (path / "ram.image").unlink()  # Bochs has it by now, and it is large
        raise port_is_taken(self.ssh_port)

    def settle(self, directory: RunDir) -> None:
        """Nothing to wait for: ``launch`` did."""

    def threads(self) -> Sequence[int]:
        """Bochs has one thread for all processors, its process's first."""
        return [self.process.pid] if self.process is not None else []

    @property
    def alive(self) -> bool:
        """Whether the process runs; it ends when the guest does, or is ended."""
        if self.process is None or not self.process.running:
            return False
        if self._output is not None and shut_down(self._output.read_text(errors="replace")):
            self.process.kill()
            return False
        return True

    @property
    def panicked(self) -> bool:
        """Whether a panic is on the console: there is no other way to learn of it."""
        with self._looking:
            if not self._panicked and self._console is not None:
                self._panicked = self._scanner.feed(self._console.read_new()) is not None
            return self._panicked

    def cause(self) -> str:
        """Say what Bochs's log says, if it was the guest that ended."""
        return "" if self.panicked else end_of_guest(self._said())

    def facts(self) -> dict[str, object]:
        """The order of the processors' turns: with it the run can be repeated."""
        order = self.spec.interleaving
        return {"interleaving": {"quantum": order.quantum, "time0": order.time0}}

    def quit(self, timeout: float) -> bool:
        """Nobody is there to ask, and nothing to be saved: end it by force."""
        if self.process is not None:
            self.process.kill(timeout)
        return True

    def close(self) -> None:
        """Nothing is held."""

    def _prepare(self, path: Path) -> None:
        """Write all that Bochs reads at its start, but for the port."""
        image = ramimage.ram_image(
            self.spec.kernel.read_bytes(),
            self.spec.initramfs.read_bytes(),
            self.spec.arguments,
            seed=self.spec.interleaving.time0,
        )
        needed = ramimage.memory_needed(image)
        if needed > self.spec.memory_mib << 20:
            die(
                f"{self.spec.memory_mib} MiB are too little for this kernel and initramfs.",
                f"give the machine {(needed >> 20) + 1} MiB",
                status=Status.USAGE,
            )
        loader.build_loader(path)
        (path / "ram.image").write_bytes(image)
        (path / "bochsrc").write_text(bochsrc(self.spec, path))
        (path / "commands").write_text(commands(self.spec.engine))

    def _start(self, argv: Sequence[str], directory: RunDir) -> bool:
        """Start the process; tell whether it got its port. It is ended if it did not."""
        (directory.path / "bochs.log").unlink(missing_ok=True)
        self.process = Process(argv, directory.stderr)
        try:
            self.process.start()
        except OSError as error:
            die(
                f"Bochs could not be started: {error}.",
                "make setup  # installs the host packages",
                status=Status.MISSING,
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while not devices_are_up(self._said()):
            if self.process.wait(_POLL) or time.monotonic() > deadline:
                raise self._refusal(directory)
        if port_was_taken(self._said()):
            self.process.kill()
            return False
        return True

    def _refusal(self, directory: RunDir) -> LabError:
        """Describe a Bochs that ended, or hangs, before it could run a guest; it is ended."""
        manner = manner_of_death(self.title, self.process)
        self.quit(_POLL)
        return LabError(
            f"Bochs did not start: {manner}.",
            f"cat {directory.path / 'bochsrc'}  # its configuration",
            status=Status.LOST,
            detail=complaints(self._said(), directory.stderr.read_text(errors="replace")),
        )

    def _said(self) -> str:
        try:
            return self._log.read_text(errors="replace") if self._log is not None else ""
        except FileNotFoundError:
            return ""


def complaints(log: str, output: str) -> str:
    """Return what of Bochs's words explains a failure to start: panics, errors, last words."""
    errors = re.findall(r"^\d+[pe]\[.*$", log, re.MULTILINE)
    return "\n".join([*errors, *output.splitlines()[-5:]])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
