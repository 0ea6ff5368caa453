# SPDX-License-Identifier: BSD-2-Clause
"""Saving and restoring over the monitor, with a stand-in for QEMU (``fake_qemu.py``)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.engine import SVM_TCG
from lab.errors import LabError, Status
from lab.machine.machine import Machine
from lab.machine.spec import MachineSpec

SPEC = MachineSpec(
    engine=SVM_TCG, kernel=Path("/k"), initramfs=Path("/i"), arguments=(), memory_mib=16
)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    programs = tmp_path / "bin"
    programs.mkdir()
    fake = Path(__file__).with_name("fake_qemu.py")
    (programs / "qemu-system-x86_64").write_text(f'#!/bin/sh\nexec {sys.executable} {fake} "$@"\n')
    (programs / "qemu-system-x86_64").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    machine = Machine(SPEC, tmp_path / "runs")
    yield machine
    machine.stop()


def memory_of(machine: Machine, name: str) -> int:
    """A descriptor of one of the machine's memories, found as QEMU finds it."""
    argv = (machine.directory / "argv").read_text()
    before, after = {"ram": ("mem-path=", ","), "disk": ("filename=", " ")}[name]
    number = argv.partition(before)[2].partition(after)[0].rpartition("/")[2]
    return int(number)


def statuses(machine: Machine) -> list[object]:
    return [event.data.get("status") for event in machine.qmp.events]


def test_ram_and_disk_go_back_and_other_snapshots_stay_good(machine: Machine) -> None:
    machine.start()
    memories = [memory_of(machine, name) for name in ("ram", "disk")]
    for fd in memories:
        os.pwrite(fd, b"first", 8192)
    first = machine.snapshots.save()
    for fd in memories:
        os.pwrite(fd, b"second", 8192)
    machine.snapshots.save()
    for fd in memories:
        os.pwrite(fd, b"dirt" * 5000, 0)
    with pytest.raises(LabError, match="another snapshot"):
        machine.snapshots.restore(first)  # the stand-in's guest still thinks it is the second one
    for fd in memories:
        assert os.pread(fd, 20000, 0) == (bytes(8192) + b"first").ljust(20000, b"\0")
    assert statuses(machine).count("concluded") == 4  # a store, two saves, a restore


def test_a_failed_job_says_why(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_JOB", "no space left")
    machine.start()
    with pytest.raises(LabError, match=r"could not do blockdev-create: no space left\."):
        machine.snapshots.save()


def test_a_kernel_that_qemu_would_write_again_is_refused(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_ROMS", "addr=1000000 size=0x18ea9f0 mem=ram name=vmlinux")
    machine.start()
    with pytest.raises(LabError) as refused:
        machine.snapshots.save()
    assert refused.value.status is Status.FAILED
    assert "vmlinux" in refused.value.detail
