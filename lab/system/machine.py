# SPDX-License-Identifier: BSD-2-Clause
"""Machines that boot a whole system from a disk, and reboot."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from lab.deadline import Deadline, Limits
from lab.engine import Accelerator
from lab.errors import Status, die
from lab.guest import Guest
from lab.lab import Booted, Lab
from lab.machine.budget import machine_slot
from lab.machine.machine import READY, Machine
from lab.machine.rundir import sweep
from lab.machine.spec import MachineSpec
from lab.profile import Profile
from lab.sshkey import ensure_keys, write_ssh_config
from lab.system.disk import ensure_disk
from lab.system.spec import load_system_spec

SLOWER = 5.0
"""How much longer than a bare guest's its boot and its commands may take: they are a system's."""
AS_INSTALLED = Profile("installed", "what the system's own boot loader says", (), (), ())


@contextlib.contextmanager
def booted_system(
    lab: Lab, system: str, *, disk: Path | None = None, profile: Profile = AS_INSTALLED
) -> Iterator[Booted]:
    """Boot ``images/systems/SYSTEM.yaml`` and log in; what the machine writes ends with it.

    A ``disk`` has that system with changes (``lab.system.chroot``). ``profile`` is the contract
    that its user promises to bring it to; nothing is checked here.
    """
    if lab.engine.accelerator is Accelerator.BOCHS:
        die(
            f"The engine {lab.engine.name} cannot boot whole systems.",
            "choose QEMU, as --lab-engine svm-tcg",
            status=Status.MISSING,
        )
    memory_mib = lab.requirements.guest.system_memory_mib
    keys = ensure_keys(lab.config)
    sweep(lab.config.runs)
    if disk is None:
        wanted = load_system_spec(lab.config.source, system)
        disk = ensure_disk(lab.config, wanted, keys, lab.report)
    spec = MachineSpec(
        engine=lab.engine,
        kernel=Path(),
        initramfs=Path(),
        arguments=(),
        disk=disk,
        memory_mib=memory_mib,
        image_digest=disk.parent.name,
        profile=profile.name,
    )
    with (
        machine_slot(lab.config.cache / "slots", memory_mib, report=lab.report),
        Machine(spec, lab.config.runs, slower(lab.limits)) as machine,
    ):
        machine.wait_ready()
        write_ssh_config(keys, machine.ssh_port, machine.directory)
        with Guest(machine, keys) as guest:
            yield Booted(machine, guest, profile)


def slower(limits: Limits) -> Limits:
    """Return the limits of a machine with a whole system."""
    return Limits(
        boot=limits.boot * SLOWER,
        connect=limits.connect,
        command=limits.command * SLOWER,
        silence=limits.silence,
        teardown=limits.teardown,
    )


def reboot(booted: Booted) -> None:
    """Have the system reboot, and wait until it is up again."""
    console = booted.machine.console
    console.read_new()
    booted.guest.run("systemctl reboot", check=True)
    booted.guest.close()
    deadline = Deadline.after(booted.machine.limits.boot, "the reboot")
    marker = console.wait_for((READY,), deadline.left(), lambda: booted.machine.alive)
    if marker is None and booted.machine.alive:
        raise booted.machine.hung(f"The guest did not come up again within {deadline}")
    if marker is None:
        raise booted.machine.lost("while it rebooted")
    booted.guest.connect()
