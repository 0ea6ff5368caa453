# SPDX-License-Identifier: BSD-2-Clause
"""One lab: an engine, an image, what was built for it, and machines to run it on.

The command line and the pytest plugin are two users of this class; neither knows how a machine
is started or what it is made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from lab.build import Artefacts, build_guest_programs
from lab.config import Config
from lab.deadline import Limits, limits_for
from lab.deploy import deploy
from lab.doctor.diagnosis import usable_engines
from lab.doctor.memory import recall
from lab.engine import Engine, choose_engine
from lab.errors import Status, die
from lab.guest import Guest
from lab.image.build import Image, ensure_image
from lab.image.spec import load_image_spec
from lab.machine.boot import boot
from lab.machine.interleaving import Interleaving
from lab.machine.machine import Machine
from lab.machine.snapshot import Snapshot
from lab.profile import Profile, load_profile, violations
from lab.requirements.spec import Requirements, load_requirements
from lab.verdict.kernel_log import Baseline


@dataclass(frozen=True)
class Booted:
    """A machine that is up, checked against its profile, with a login."""

    machine: Machine
    guest: Guest
    profile: Profile
    baselines: dict[str, Baseline] = field(default_factory=dict)
    """What the kernel had said in states of the guest that are known, by their names."""


class Lab:
    """What a run needs, each made at first use and kept for the life of the object.

    ``timeout_factor`` multiplies every limit. ``report`` gets short notes while something slow goes
    on.
    """

    def __init__(
        self,
        config: Config,
        *,
        image_name: str,
        engine_name: str | None = None,
        timeout_factor: float = 1.0,
        report: Callable[[str], None] = lambda _note: None,
    ) -> None:
        self.config = config
        self.image_spec = load_image_spec(config.source, image_name)
        self._engine_name = engine_name
        self._timeout_factor = timeout_factor
        self.report = report

    @cached_property
    def engine(self) -> Engine:
        """The engine asked for, or the best that boots here."""
        return choose_engine(
            self._engine_name,
            lambda: [probe.engine for probe in usable_engines(self.config)],
        )

    @cached_property
    def limits(self) -> Limits:
        """How long a machine may take here, by the engine and the speed the doctor measured."""
        probes = recall(self.config) or ()
        mips = next((probe.mips for probe in probes if probe.engine == self.engine), None)
        return limits_for(self.engine.accelerator, mips).times(self._timeout_factor)

    @cached_property
    def image(self) -> Image:
        """The guest image, built at the first call on this host."""
        return ensure_image(self.config, self.image_spec, self.report)

    @cached_property
    def requirements(self) -> Requirements:
        """What machines have and need."""
        return load_requirements(self.config.source)

    @cached_property
    def artefacts(self) -> Artefacts:
        """The module and the guest programs, compiled for the image."""
        return build_guest_programs(self.config, self.image, self.report)

    def profile(self, name: str) -> Profile:
        """Return the boot profile of that name."""
        return load_profile(self.config.source, name)

    @contextmanager
    def booted(
        self,
        profile: Profile,
        *,
        cpu: str | None = None,
        cpus: int | None = None,
        memory_mib: int | None = None,
        interleaving: Interleaving | None = None,
        limits: Limits | None = None,
        snapshot: Snapshot | None = None,
    ) -> Iterator[Booted]:
        """Boot a machine and check that the kernel got the arguments the profile promises.

        With the memory that ``images/requirements.yaml`` says and under the lab's own limits,
        unless others are given. With a ``snapshot`` of such a machine there is no boot, and nothing
        to check.
        """
        with boot(
            self.config,
            self.image,
            self.engine,
            profile,
            cpu=cpu,
            cpus=cpus,
            memory_mib=memory_mib or self.requirements.guest.memory_mib,
            interleaving=interleaving,
            limits=limits or self.limits,
            snapshot=snapshot,
            report=self.report,
        ) as (machine, guest):
            if snapshot is None:
                check_boot_arguments(guest, profile)
            yield Booted(machine, guest, profile)

    def deploy_to(self, guest: Guest) -> None:
        """Copy the module and the programs into the guest's ``/lab``."""
        deploy(guest, self.artefacts)


def check_boot_arguments(guest: Guest, profile: Profile) -> None:
    """Die unless ``/proc/cmdline`` keeps the profile's contract: one message, not N failures."""
    cmdline = guest.run("cat /proc/cmdline", check=True).text
    broken = violations(profile, cmdline)
    if broken:
        die(
            f"The guest was not booted as profile {profile.name} says: {'; '.join(broken)}.",
            "compare images/profiles.yaml with the command line below",
            status=Status.FAILED,
            detail=cmdline,
        )
