# SPDX-License-Identifier: BSD-2-Clause
"""From an image to a guest that takes commands, in one step; and back to nothing."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from lab.config import Config
from lab.deadline import Limits
from lab.engine import Accelerator, Engine
from lab.errors import LabError, Status
from lab.guest import Guest
from lab.machine import bochs, cpio
from lab.machine.budget import machine_slot
from lab.machine.interleaving import Interleaving
from lab.machine.kernel import unpacked_kernel, write_atomically
from lab.machine.machine import Machine
from lab.machine.rundir import sweep
from lab.machine.snapshot import Snapshot
from lab.machine.spec import MachineSpec
from lab.profile import Profile
from lab.sshkey import Keys, ensure_keys, write_ssh_config


class BootImage(Protocol):
    """What of an image is needed to boot it; ``lab.image.build.Image`` has it."""

    @property
    def kernel(self) -> Path:
        """The kernel as the distribution ships it."""

    @property
    def initramfs(self) -> Path:
        """The archive without the seed."""

    @property
    def kernel_release(self) -> str:
        """The kernel's, as ``uname -r`` says it."""

    @property
    def digest(self) -> str:
        """Names the content of both."""


@contextlib.contextmanager
def boot(
    config: Config,
    image: BootImage,
    engine: Engine,
    profile: Profile,
    *,
    memory_mib: int,
    cpus: int | None = None,
    cpu: str | None = None,
    ssh_port: int = 0,
    interleaving: Interleaving | None = None,
    limits: Limits | None = None,
    snapshot: Snapshot | None = None,
    report: Callable[[str], None] = lambda _note: None,
) -> Iterator[tuple[Machine, Guest]]:
    """Boot a guest and log in to it; leaving the block ends it and removes its traces.

    Given the ``snapshot`` of another machine, made by the same arguments, the guest is put into
    that state in place of a boot.

    If the block is left by an exception, the machine's directory is kept, with the kernel log if
    the guest still gives it. ``limits`` bound every wait for it; before its start comes the wait
    until the host has room for one more machine, of which ``report`` is told. The boot
    arguments are *not* checked here: that is ``lab.profile.violations`` on the guest's
    ``/proc/cmdline``.
    """
    cpus = engine.default_cpus if cpus is None else cpus
    sweep(config.runs)
    keys = ensure_keys(config)
    spec = MachineSpec(
        engine=engine,
        kernel=kernel_for(config, image, engine, profile),
        initramfs=seeded_initramfs(config, image, keys),
        arguments=(
            *profile.arguments,
            *cpu_arguments(engine, cpus),
            *clock_arguments(engine),
            *bochs.boot_arguments(engine),
        ),
        cpus=cpus,
        memory_mib=memory_mib,
        cpu=cpu,
        ssh_port=ssh_port,
        interleaving=interleaving or Interleaving(),
        pinned=config.pin,
        image_digest=image.digest,
        kernel_release=image.kernel_release,
        profile=profile.name,
    )
    slots = config.cache / "slots"
    with (
        machine_slot(slots, memory_mib, report=report),
        Machine(spec, config.runs, limits) as machine,
    ):
        if snapshot is None:
            machine.wait_ready()
        else:
            machine.snapshots.restore(snapshot)
        write_ssh_config(keys, machine.ssh_port, machine.directory)
        with Guest(machine, keys) as guest:
            try:
                yield machine, guest
            except Exception as error:
                if not (isinstance(error, LabError) and error.status is Status.LOST):
                    save_kernel_log(machine, guest)
                raise


def cpu_arguments(engine: Engine, cpus: int) -> tuple[str, ...]:
    """Return what tells the guest's init which CPUs its processes may run on."""
    return (f"lab.cpus=1-{cpus}",) if engine.spares_first_cpu else ()


def clock_arguments(engine: Engine) -> tuple[str, ...]:
    """Return what keeps a kernel from a clock that a restore does not put back.

    TCG's time-stamp counter never goes backwards (``cpu_get_ticks``), so a restored guest whose
    clock it is finds that the time since the snapshot has passed: 24 s later 6.12 complained of a
    stalled grace period. With the TSC unstable it takes the HPET, as 6.1 does by itself.
    """
    restored = engine.accelerator is Accelerator.TCG and not engine.counts_instructions
    return ("tsc=unstable",) if restored else ()


def kernel_for(config: Config, image: BootImage, engine: Engine, profile: Profile) -> Path:
    """Choose the form of the kernel that boots quickest and still does what the profile asks.

    An unpacked one lies where it was linked to; only on Bochs the lab can move it, as KASLR would.
    """
    if "nokaslr" in profile.required or engine.accelerator is Accelerator.BOCHS:
        return unpacked_kernel(image.kernel, config.cache)
    return image.kernel


def seeded_initramfs(config: Config, image: BootImage, keys: Keys) -> Path:
    """Return the image's initramfs followed by the lab's keys, made at the first call.

    Kept in the cache rather than made for each machine: machines started side by side then share
    its pages, and the command line in a kept run directory can be run again.
    """
    seed = keys.seed()
    name = f"{image.digest}-{hashlib.sha256(seed).hexdigest()[:16]}.cpio"
    path = config.cache / "seeded" / name
    if not path.exists():
        archive = image.initramfs.read_bytes()
        write_atomically(path, (archive, cpio.padding(len(archive)), seed))
    return path


def save_kernel_log(machine: Machine, guest: Guest) -> None:
    """Put the guest's kernel log beside its console, if the guest can still be asked."""
    if machine.alive:
        with contextlib.suppress(LabError):
            log = guest.kernel_log(timeout=machine.limits.teardown)
            (machine.directory / "kernel.log").write_text(log)
