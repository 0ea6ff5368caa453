# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's command line for a machine, and what QEMU says back in text. Nothing here runs it."""

from __future__ import annotations

import re
from pathlib import Path

from lab.engine import Accelerator
from lab.machine.spec import MachineSpec

BINARY = "qemu-system-x86_64"

_GUEST_SSH = "22"


def qemu_argv(spec: MachineSpec, *, name: str, console: Path, qmp_fd: int) -> list[str]:
    """Build the command line of one machine.

    ``console`` is the file the serial port is written to; it lies in the machine's run directory,
    by whose path a survivor is recognised later. ``qmp_fd`` is an inherited, connected socket.
    """
    return [
        BINARY,
        *("-name", f"{name},debug-threads=on"),
        *("-nodefaults", "-no-user-config", "-display", "none", "-vga", "none"),
        # A guest that broke out of its vCPU must not be able to start programs here.
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *_processor(spec),
        *_boot(spec),
        *_end_of_life(),
        *_devices(spec, console),
        # A socket pair has no path that could collide or be left behind, and no one else can
        # connect to it.
        *("-chardev", f"socket,id=qmp,fd={qmp_fd}", "-mon", "chardev=qmp,mode=control"),
    ]


def _processor(spec: MachineSpec) -> list[str]:
    # One host thread per vCPU: races between vCPUs are real ones, and two host cores are used.
    tcg = spec.engine.accelerator is Accelerator.TCG
    return [
        *("-machine", "q35"),
        *("-accel", "tcg,thread=multi" if tcg else "kvm"),
        *("-cpu", spec.cpu or spec.engine.cpu),
        *("-smp", str(spec.cpus + spec.engine.spares_first_cpu)),
        *("-m", str(spec.memory_mib)),
    ]


def _boot(spec: MachineSpec) -> list[str]:
    # In an option's value QEMU wants a comma doubled; -kernel, -initrd and -append take no
    # options, so these are passed as they are.
    return [
        *("-kernel", str(spec.kernel)),
        *("-initrd", str(spec.initramfs)),
        *("-append", " ".join(spec.arguments)),
    ]


def _end_of_life() -> list[str]:
    """How a panic shows: told at once by pvpanic, complete on the console, over in milliseconds.

    The guest's pvpanic driver reports before the kernel has flushed its console. To stop the
    machine there (``panic=pause`` or ``shutdown``, QEMU's default) would cut off the backtrace, so
    QEMU only passes the event on; the guest (``panic=-1``) flushes, reboots, and ``-no-reboot``
    turns that into the end of QEMU.
    """
    return ["-device", "pvpanic-pci", "-action", "panic=none", "-no-reboot"]


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
