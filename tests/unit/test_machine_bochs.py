# SPDX-License-Identifier: BSD-2-Clause
"""Bochs's configuration and log; its driver, with a stand-in (``fake_bochs.py``)."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from kernel_file import vmlinux

from lab.engine import ENGINES, SVM_BOCHS, SVM_TCG, VMX_BOCHS
from lab.errors import LabError, Status
from lab.machine import bochs, loader, ramimage
from lab.machine.interleaving import Interleaving
from lab.machine.machine import Machine
from lab.machine.spec import MachineSpec

RUN = Path("/runs/a b")
CAPTURED_RESET = """\
00000000000i[SYS   ] bx_pc_system_c::Reset(HARDWARE) called
04926160001i[SYS   ] bx_pc_system_c::Reset(HARDWARE) called
04926185277i[CPU0  ] CPU is in protected mode (active)
04926185277p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution
"""
GUEST_SHUT_DOWN = """\
(1).[1391419630] ??? (physical address not available)
Next at t=1391419631
(0) [0x000001a592eb] 0010:ffffffff81a592eb (unk. ctxt): jmp .+3835152  (0xffffffff81e01800)
(1) [0x000006df2f50] 0010:ffffffffc022ff50 (unk. ctxt): vmsave                    ; 0f01db
"""
SHUT_DOWN = """\
(1).[1188001810] [0x000001c01510] 0010:ffffffff81c01510 (unk. ctxt): push r9    ; 4151
Next at t=1188001815
(0) [0x0000063371b6] 0033:00007f8a0a7441b6 (unk. ctxt): xor ecx, dword ptr ds:[r8+r13*4]
(1) [0x000001c01510] 0010:ffffffff81c01510 (unk. ctxt): push r9    ; 4151
"""


@pytest.fixture
def spec(tmp_path: Path) -> MachineSpec:
    (tmp_path / "kernel").write_bytes(vmlinux())
    (tmp_path / "initramfs").write_bytes(b"initramfs")
    return MachineSpec(
        engine=VMX_BOCHS,
        kernel=tmp_path / "kernel",
        initramfs=tmp_path / "initramfs",
        arguments=("quiet", "nokaslr"),
        interleaving=Interleaving(quantum=5, time0=1_700_000_001),
    )


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    programs = tmp_path / "bin"
    programs.mkdir()
    fake = Path(__file__).with_name("fake_bochs.py")
    (programs / "bochs").write_text(f'#!/bin/sh\nexec {sys.executable} {fake} "$@"\n')
    (programs / "bochs").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    return tmp_path / "runs"


def left(runs: Path) -> list[Path]:
    return [path for path in runs.iterdir() if path.name != ".lock"]


# ------------------------------------------------------------------------------- pure functions


def test_the_machine_is_the_one_specified(spec: MachineSpec) -> None:
    text = bochs.bochsrc(replace(spec, cpus=2, memory_mib=768), RUN)
    [cpu] = re.findall(r"^cpu: (.*)$", text, re.M)
    assert set(cpu.split(", ")) >= {"model=corei7_skylake_x", "count=2", "quantum=5"}
    assert "memory: guest=768, host=768\n" in text
    assert "clock: sync=none, time0=1700000001\n" in text
    assert "model=trinity_apu" in bochs.bochsrc(replace(spec, engine=SVM_BOCHS), RUN)
    assert "model=athlon64_venice" in bochs.bochsrc(replace(spec, cpu="athlon64_venice"), RUN)


def test_every_file_lies_in_the_run_directory_and_is_quoted(spec: MachineSpec) -> None:
    text = bochs.bochsrc(spec, RUN)
    files = re.findall(r'"([^"]*)"', text)
    assert [Path(file).parent for file in files] == [RUN] * 5
    assert text.count(str(RUN)) == 5
    assert f"address={loader.ADDRESS:#x}" in text
    assert f"address={ramimage.ADDRESS:#x}" in text


def test_nothing_depends_on_the_time_of_day(spec: MachineSpec) -> None:
    text = bochs.bochsrc(spec, RUN)
    assert "sync=none" in text
    assert "vga: realtime=0" in text


def test_only_one_way_leads_in_and_none_out() -> None:
    text = bochs.slirp_config(40123)
    assert text.startswith("# slirp config\n")  # Bochs reads no other file
    assert "restricted = 1\n" in text
    assert re.findall(r"^hostfwd = (.*)$", text, re.M) == ["tcp:127.0.0.1:40123-:22"]


def test_the_guest_is_told_what_the_intel_model_gets_wrong() -> None:
    told = {engine.name: bochs.boot_arguments(engine) for engine in ENGINES}
    khz = bochs.INSTRUCTIONS_PER_SECOND // 1000
    assert told.pop("vmx-bochs") == (
        f"tsc_early_khz={khz}",
        "clearcpuid=xsavec,xsaves,rdrand,rdseed",
    )
    assert set(told.values()) == {()}


@pytest.mark.parametrize(
    ("log", "end"),
    [
        (CAPTURED_RESET, "it rebooted"),
        (CAPTURED_RESET.replace("Reset(", "", 1), "its processor shut down after a triple fault"),
        ("08p[ACPI  ] >>PANIC<< ACPI control: soft power off\n", "it powered itself off"),
        ("00i[SYS   ] bx_pc_system_c::Reset(HARDWARE) called\n", ""),
        ("", ""),
    ],
)
def test_the_log_tells_how_the_guest_ended(log: str, end: str) -> None:
    assert bochs.end_of_guest(log) == end


def test_a_triple_fault_ends_bochs_but_for_svm(spec: MachineSpec) -> None:
    assert "\npanic: action=fatal\n" in bochs.bochsrc(spec, RUN)
    assert bochs.commands(VMX_BOCHS) == "continue\n"
    svm = replace(spec, engine=SVM_BOCHS, cpus=2)
    assert "\npanic: action=fatal, cpu0=report, cpu1=report\n" in bochs.bochsrc(svm, RUN)
    assert bochs.commands(SVM_BOCHS).count("continue\n") > 100


def test_a_processor_that_shut_down_is_told_from_one_whose_guest_did() -> None:
    assert not bochs.shut_down("")
    assert not bochs.shut_down(GUEST_SHUT_DOWN)
    assert bochs.shut_down(SHUT_DOWN)
    assert bochs.shut_down(GUEST_SHUT_DOWN + SHUT_DOWN)


# ----------------------------------------------------------------------------------- the driver


def test_a_good_run_leaves_nothing(spec: MachineSpec, runs: Path) -> None:
    with Machine(spec, runs) as machine:
        assert machine.wait_ready(10) < 10
        assert machine.alive
        assert not machine.panicked
        assert not (machine.directory / "ram.image").exists()
        record = json.loads((machine.directory / "record.json").read_text())
        assert record["engine"] == "vmx-bochs"
        assert record["interleaving"] == {"quantum": 5, "time0": 1_700_000_001}
        assert f":{machine.ssh_port}-:22" in (machine.directory / "slirp").read_text()
        pid = machine.pid
        assert str(machine.directory).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
        begun = time.monotonic()
    assert time.monotonic() - begun < 2
    assert not Path(f"/proc/{pid}").exists()
    assert left(runs) == []


def test_two_at_once_share_nothing(spec: MachineSpec, runs: Path) -> None:
    with Machine(spec, runs) as one, Machine(spec, runs) as two:
        assert one.ssh_port != two.ssh_port
        assert one.directory != two.directory


def test_it_has_no_monitor_and_says_so(spec: MachineSpec, runs: Path) -> None:
    with Machine(spec, runs) as machine, pytest.raises(LabError, match="has no monitor") as caught:
        _ = machine.qmp
    assert caught.value.status is Status.MISSING


def test_a_port_lost_to_someone_else_is_replaced(
    spec: MachineSpec, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BOCHS", "taken:2")
    with Machine(spec, runs) as machine:
        assert (machine.directory / "starts").read_text() == "3"
        assert (machine.directory / "pid").read_text() == f"{machine.pid}\n"
        machine.wait_ready(10)


def test_a_port_that_was_asked_for_is_not(
    spec: MachineSpec, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BOCHS", "taken:1")
    with pytest.raises(LabError) as caught, Machine(replace(spec, ssh_port=2222), runs):
        pass
    assert caught.value.status is Status.USAGE
    assert caught.value.message == "Port 2222 of 127.0.0.1 is taken."


def test_bochs_own_words_when_it_refuses(
    spec: MachineSpec, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BOCHS", "refuse")
    with pytest.raises(LabError, match="did not start: Bochs ended with status 1") as caught:
        Machine(spec, runs).start()
    assert caught.value.status is Status.LOST
    assert "no such model" in caught.value.detail
    assert not (left(runs)[0] / "ram.image").exists()


def test_one_that_hangs_at_its_start_is_ended(
    spec: MachineSpec, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_BOCHS", "mute")
    monkeypatch.setattr(bochs, "_START_TIMEOUT", 0.3)
    machine = Machine(spec, runs)
    with pytest.raises(LabError, match="did not start: Bochs still runs"):
        machine.start()
    assert not machine.alive


@pytest.mark.parametrize(
    ("fate", "cause"),
    [
        ("panic", "Kernel panic - not syncing: for a test"),
        ("reboot", "it rebooted"),
        ("poweroff", "it powered itself off"),
        ("shutdown", "its processor shut down after a triple fault"),
    ],
)
def test_an_end_is_told_at_once_with_its_cause(
    spec: MachineSpec, runs: Path, monkeypatch: pytest.MonkeyPatch, fate: str, cause: str
) -> None:
    monkeypatch.setenv("FAKE_BOCHS", fate)
    begun = time.monotonic()
    with pytest.raises(LabError) as caught, Machine(spec, runs) as machine:
        machine.wait_ready(30)
    assert time.monotonic() - begun < 10
    assert caught.value.message.endswith(f"before it was ready: {cause}.")
    assert machine.panicked == (fate == "panic")
    if fate == "panic":
        assert "end of the backtrace" in caught.value.detail


def test_too_little_memory_is_said_before_anything_starts(spec: MachineSpec, runs: Path) -> None:
    with pytest.raises(LabError, match="128 MiB are too little") as caught:
        Machine(replace(spec, memory_mib=128), runs).start()
    assert caught.value.status is Status.USAGE


def test_no_bochs(spec: MachineSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="bochs is not installed") as caught:
        Machine(spec, tmp_path / "runs").start()
    assert caught.value.status is Status.MISSING


def test_the_engine_chooses_the_emulator(spec: MachineSpec, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="not started"):
        _ = Machine(replace(spec, engine=SVM_TCG), tmp_path).qmp
