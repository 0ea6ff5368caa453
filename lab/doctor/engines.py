# SPDX-License-Identifier: BSD-2-Clause
"""Boots the probe under every engine, and says what each is worth."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from lab.doctor.kvm import KvmNode
from lab.doctor.probe import POLL_SECONDS, Bounds, End, Outcome, run_bochs, run_qemu
from lab.doctor.verdict import EngineProbe, Verdict, expected_vendor, first_error, judge
from lab.engine import (
    SVM_BOCHS,
    SVM_KVM,
    SVM_TCG,
    VMX_BOCHS,
    VMX_KVM,
    Accelerator,
    Engine,
    Vendor,
)

PROBE_SECONDS = 12.0
"""The time limit of one engine. A good one needs a tenth of it; a KVM that interprets takes four
seconds to show it, and twice that on a busy host."""

KVM_CPU_MODELS = (SVM_KVM.cpu, f"{SVM_KVM.cpu},-arch-capabilities")
"""The second is for hypervisors below us that offer a register and then refuse to set it; QEMU
aborts over that before the first instruction."""


@dataclass(frozen=True)
class Ground:
    """What the probes need to know of the host."""

    qemu: str | None
    bochs: str | None
    kvm: KvmNode
    processor_vendor: str
    """As in CPUID; decides which engine a KVM stands for when no guest could say."""


def probe_engines(image: Path, ground: Ground) -> tuple[EngineProbe, ...]:
    """Boot everything; the result has one entry each for KVM and TCG, two for Bochs.

    No more at once than there are pairs of processors: how fast each of them is decides how long
    its machines may take, and four emulators on two processors look half as fast as they are.
    The threads only wait for their emulators, each of which dies with its thread. When the caller
    is interrupted they are told to stop, and are waited for.
    """
    stop = Event()
    probes: Sequence[Callable[[Path, Ground, Event], EngineProbe]] = (
        probe_kvm,
        probe_tcg,
        partial(probe_bochs, VMX_BOCHS),
        partial(probe_bochs, SVM_BOCHS),
    )
    with ThreadPoolExecutor(max(1, len(os.sched_getaffinity(0)) // 2)) as pool:
        try:
            started = [pool.submit(probe, image, ground, stop) for probe in probes]
            # Not one wait without an end: a Ctrl-C that comes just before such a wait begins is
            # noticed when it is over. Seen in 1 of 40 tries on a busy host.
            while wait(started, timeout=POLL_SECONDS).not_done:
                pass
            return tuple(future.result() for future in started)
        except BaseException:
            stop.set()
            raise


def unprobed(ground: Ground, reason: str) -> tuple[EngineProbe, ...]:
    """Stand in for ``probe_engines`` where there is no probe to boot."""
    engines = (_kvm_engine(ground), SVM_TCG, VMX_BOCHS, SVM_BOCHS)
    return tuple(EngineProbe(engine, Verdict.NOT_PROBED, reason) for engine in engines)


def probe_kvm(image: Path, ground: Ground, stop: Event) -> EngineProbe:
    """Boot under KVM; a second CPU model has a chance if QEMU gives up on the first."""
    engine = _kvm_engine(ground)
    if not ground.kvm.exists:
        return EngineProbe(engine, Verdict.ABSENT, f"there is no {ground.kvm.path}")
    if not ground.kvm.opens:
        reason = f"{ground.kvm.path} cannot be opened: {ground.kvm.error}"
        return EngineProbe(engine, Verdict.FORBIDDEN, reason)
    if ground.qemu is None:
        return _qemu_missing(engine)
    left = PROBE_SECONDS
    history = ""
    for cpu in KVM_CPU_MODELS:
        started = time.monotonic()
        outcome = run_qemu(
            ground.qemu,
            image=image,
            accelerator=Accelerator.KVM,
            cpu=cpu,
            bounds=Bounds(left, stop, expect_hardware=True),
        )
        vendor = expected_vendor(outcome.transcript, ground.processor_vendor)
        engine = VMX_KVM if vendor is Vendor.VMX else SVM_KVM
        probe = judge(engine, cpu, outcome)
        if not _gave_up_at_once(outcome):
            break
        history += f"with -cpu {cpu} QEMU aborts ({first_error(outcome.errors)}); "
        left -= time.monotonic() - started
    else:
        return probe
    return replace(probe, reason=history + (f"with {cpu} " if history else "") + probe.reason)


def _gave_up_at_once(outcome: Outcome) -> bool:
    return outcome.end is End.EXITED and not outcome.lines


def probe_tcg(image: Path, ground: Ground, stop: Event) -> EngineProbe:
    """Boot under QEMU's own translator."""
    if ground.qemu is None:
        return _qemu_missing(SVM_TCG)
    outcome = run_qemu(
        ground.qemu,
        image=image,
        accelerator=Accelerator.TCG,
        cpu=SVM_TCG.cpu,
        bounds=Bounds(PROBE_SECONDS, stop),
    )
    return judge(SVM_TCG, SVM_TCG.cpu, outcome)


def probe_bochs(engine: Engine, image: Path, ground: Ground, stop: Event) -> EngineProbe:
    """Boot under Bochs, the one emulator with VT-x, and with an SVM that is not QEMU's."""
    if ground.bochs is None:
        return EngineProbe(engine, Verdict.ABSENT, "bochs is not installed")
    bounds = Bounds(PROBE_SECONDS, stop)
    outcome = run_bochs(ground.bochs, image=image, cpu=engine.cpu, bounds=bounds)
    return judge(engine, engine.cpu, outcome)


def _qemu_missing(engine: Engine) -> EngineProbe:
    return EngineProbe(engine, Verdict.ABSENT, "qemu-system-x86_64 is not installed")


def _kvm_engine(ground: Ground) -> Engine:
    return VMX_KVM if ground.processor_vendor == "GenuineIntel" else SVM_KVM
