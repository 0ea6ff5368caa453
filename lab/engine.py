# SPDX-License-Identifier: BSD-2-Clause
"""The machines the lab can run a guest on, by name, and which of them to take.

An engine is a processor vendor and the thing that plays the processor. Whether one works here is
decided by booting it (``dbos-lab doctor``), never by looking at ``/dev/kvm``: a software KVM opens
and creates virtual machines, and then runs ring 0 a thousand times too slowly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from lab.errors import Status, die, unknown_name


class Vendor(Enum):
    """Whose virtualization instructions the guest sees."""

    SVM = "svm"
    VMX = "vmx"


class Accelerator(Enum):
    """What executes the guest's instructions."""

    KVM = "kvm"
    TCG = "tcg"
    BOCHS = "bochs"


@dataclass(frozen=True)
class Engine:
    """One way to run a guest. ``cpu`` is QEMU's model, or Bochs's for ``BOCHS``."""

    name: str
    vendor: Vendor
    accelerator: Accelerator
    cpu: str
    counts_instructions: bool = False
    """Whether the guest's clocks count what it has executed, a nanosecond for each instruction.

    By QEMU's ``-icount``. One host thread plays all processors in turn, and no time passes but by
    instructions. Processors that wait for each other then do little else than hand over the turn:
    three of them had not started each other after 75 s of host CPU time, where a boot with one
    takes 10. So a machine has one, and what needs two cannot be counted.
    """

    @property
    def default_cpus(self) -> int:
        """How many processors a machine gets that nobody wants more or fewer for."""
        return 1 if self.counts_instructions else 2

    @property
    def spares_first_cpu(self) -> bool:
        """Whether programs, and so the guests they enter, must stay off the first CPU.

        QEMU's TCG, one thread per vCPU, corrupts the SVM state of the *first* vCPU: whenever any
        vCPU restores x87 state (FXRSTOR, XRSTOR, FLDENV), ``cpu_clear_ignne`` reads, changes and
        writes back the first one's ``hflags2`` without a lock. A VMRUN or #VMEXIT at that moment
        loses its own change to the same word: the CPU is back in the host with nested paging still
        on, say, and takes a second #VMEXIT that overwrites the VMCB with the host's state. Read
        and seen in 7.2; ``lab/suites/test_fpu.py`` meets it within a second on that CPU. An engine
        that counts instructions has one thread, and the race cannot be.
        """
        return self.accelerator is Accelerator.TCG and not self.counts_instructions


SVM_KVM = Engine("svm-kvm", Vendor.SVM, Accelerator.KVM, "host")
VMX_KVM = Engine("vmx-kvm", Vendor.VMX, Accelerator.KVM, "host")
SVM_TCG = Engine("svm-tcg", Vendor.SVM, Accelerator.TCG, "EPYC,+svm,+npt,-cx16")
"""Without CMPXCHG16B, which leaves flags behind that are none in QEMU 7.2.

The translator does not write down which operation the flags are to be computed from before it calls
the helper, and the helper computes them from the one written down last: whatever an earlier
instruction left in ``CC_SRC`` becomes RFLAGS, its high half excepted. An interrupt right behind it
(the kernel's allocator has the instruction in its fast path) finds TF set, or VM, with which it
cannot be delivered: a double fault. A program that loops on it dies by SIGTRAP within 0.1 s.
"""
VMX_BOCHS = Engine("vmx-bochs", Vendor.VMX, Accelerator.BOCHS, "corei7_skylake_x")
SVM_BOCHS = Engine("svm-bochs", Vendor.SVM, Accelerator.BOCHS, "trinity_apu")

ENGINES = (SVM_KVM, VMX_KVM, SVM_TCG, VMX_BOCHS, SVM_BOCHS)
"""Those that suites run on, in order of preference: real hardware first, then by speed."""

SVM_ICOUNT = replace(SVM_TCG, name="svm-icount", counts_instructions=True)
"""For measurements alone: had only by its name, and never one of ``all``."""

_ALIKE = {SVM_ICOUNT: SVM_TCG}
"""Engines without a probe of their own, and the one that boots where they do."""


def engine_named(name: str) -> Engine:
    """Return the engine of that name; an unknown name dies with the nearest match."""
    by_name = {engine.name: engine for engine in (*ENGINES, SVM_ICOUNT)}
    if name not in by_name:
        unknown_name("engine", name, by_name)
    return by_name[name]


def choose_engine(requested: str | None, usable: Callable[[], Sequence[Engine]]) -> Engine:
    """Choose the engine to run on: the one asked for, else the best of those that boot here.

    ``usable`` may boot probes and take seconds, so it is called only once the name is known to be
    good. Dies with ``USAGE`` for an unknown name and with ``MISSING`` for an engine that cannot
    be had here.
    """
    wanted = engine_named(requested) if requested is not None else None
    bootable = usable()
    here = tuple(engine for engine in ENGINES if engine in bootable)
    if wanted is not None and _ALIKE.get(wanted, wanted) not in here:
        die(
            f"The engine {wanted.name} does not boot on this host.",
            "dbos-lab doctor  # says why, and which engines do",
            status=Status.MISSING,
        )
    if not here:
        die(
            "No engine boots on this host.",
            "dbos-lab doctor  # says what is missing",
            status=Status.MISSING,
        )
    return wanted or here[0]
