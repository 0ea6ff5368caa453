# SPDX-License-Identifier: BSD-2-Clause
"""What only Bochs promises: runs that repeat, in an order of the processors that can be chosen."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from lab.deadline import limits_for
from lab.engine import Accelerator
from lab.lab import Lab
from lab.machine import bochs
from lab.machine.boot import boot, kernel_for, seeded_initramfs
from lab.machine.interleaving import EPOCH, Interleaving
from lab.machine.machine import READY, Machine
from lab.machine.spec import MachineSpec
from lab.session.cell import Cell
from lab.sshkey import ensure_keys

BOOT_TIMEOUT = limits_for(Accelerator.BOCHS).boot
GUEST_SECONDS = 30.0
"""From power-on to SSH, by the guest's own clock: it counts instructions, on any host alike."""

WARM = b"Freeing initrd memory"
"""On the console some while after both processors began to work: half the boot."""


@pytest.fixture(autouse=True)
def on_bochs(lab: Lab) -> None:
    """Skip elsewhere, saying why."""
    if lab.engine.accelerator is not Accelerator.BOCHS:
        pytest.skip(f"the engine {lab.engine.name} is not Bochs")


def test_one_processor_and_how_soon_it_answers(
    lab: Lab, lab_cell: Cell, capsys: pytest.CaptureFixture[str]
) -> None:
    begun = time.monotonic()
    profile = lab.profile(lab_cell.profile)
    memory = lab.requirements.guest.memory_mib
    with boot(lab.config, lab.image, lab.engine, profile, cpus=1, memory_mib=memory) as (_, guest):
        seconds = time.monotonic() - begun
        up = float(guest.run("cat /proc/uptime", check=True).text.split()[0])
        assert guest.run("nproc", check=True).text == "1\n"
    with capsys.disabled():
        print(
            f"\n{lab.engine.name}, {profile.name}, 1 processor: SSH {seconds:.1f} s after the "
            f"start, {up:.1f} s by the guest's clock"
        )
    assert up < GUEST_SECONDS


def test_two_runs_are_identical_and_another_order_is_not(lab: Lab, lab_cell: Cell) -> None:
    first = console(lab, lab_cell.profile, Interleaving(), READY)
    again = console(lab, lab_cell.profile, Interleaving(), READY)
    other = console(lab, lab_cell.profile, Interleaving(time0=EPOCH + 1), WARM)
    assert len(first) > 10_000  # the whole kernel log, each line with its time
    assert first == again
    assert dateless(other) != dateless(first[: first.index(WARM)])


def dateless(log: bytes) -> list[bytes]:
    """Return the lines that do not say what day it is: those would differ in any case."""
    return [line for line in log.splitlines() if b"audit" not in line and b"UTC" not in line]


def console(lab: Lab, profile_name: str, interleaving: Interleaving, until: bytes) -> bytes:
    """Boot two processors with the whole kernel log on the console; return it up to ``until``."""
    profile = lab.profile(profile_name)
    spec = MachineSpec(
        engine=lab.engine,
        kernel=kernel_for(lab.config, lab.image, lab.engine, profile),
        initramfs=seeded_initramfs(lab.config, lab.image, ensure_keys(lab.config)),
        arguments=talkative(profile.arguments + bochs.boot_arguments(lab.engine)),
        cpus=2,
        interleaving=interleaving,
    )
    with Machine(spec, lab.config.runs) as machine:
        found = machine.console.wait_for((until,), BOOT_TIMEOUT, lambda: machine.alive)
        written = machine.console.read_new()
        assert found == until, machine.console.tail()
    return written[: written.index(until)]


def talkative(arguments: Sequence[str]) -> tuple[str, ...]:
    """Return boot arguments with all kernel messages on the console, and that twelve times as fast.

    Bochs plays the serial line at the speed that it is set to.
    """
    fast = {"console=ttyS0": "console=ttyS0,115200"}
    return (*(fast.get(argument, argument) for argument in arguments), "ignore_loglevel")
