# SPDX-License-Identifier: BSD-2-Clause
"""Running a probe: commands, limits, ends. The emulators here are shell scripts."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lab.config import Config
from lab.doctor import image as probe_image
from lab.doctor.commands import bochs_argv, bochs_config, qemu_argv
from lab.doctor.engines import Ground, probe_engines
from lab.doctor.image import FLOPPY_BYTES, build_probe
from lab.doctor.kvm import KvmNode, look_at_kvm
from lab.doctor.probe import SERIAL_LIMIT, Bounds, End, Outcome, run_bochs, run_qemu
from lab.doctor.verdict import Verdict
from lab.engine import Accelerator
from lab.errors import LabError, Status

SOURCE_TREE = Path(__file__).resolve().parents[2]


def emulator(directory: Path, body: str) -> str:
    """A script that stands in for QEMU; ``$serial`` is where its serial line goes."""
    script = directory / "emulator"
    script.write_text(f"#!/bin/sh\nfor last; do :; done\nserial=${{last#file:}}\n{body}\n")
    script.chmod(0o755)
    return str(script)


def run(script: str, *, seconds: float = 5.0, kvm: bool = False) -> Outcome:
    bounds = Bounds(seconds, threading.Event(), expect_hardware=kvm)
    accelerator = Accelerator.KVM if kvm else Accelerator.TCG
    return run_qemu(script, image=Path("/i.img"), accelerator=accelerator, cpu="max", bounds=bounds)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(path: Path) -> int:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        if path.exists() and path.read_text().strip():
            return int(path.read_text())
        time.sleep(0.01)
    raise AssertionError(f"{path} did not appear")


# -------------------------------------------------------------------------------------- commands


def test_qemu_command() -> None:
    argv = qemu_argv(
        "qemu",
        image=Path("/a,b.img"),
        accelerator=Accelerator.KVM,
        cpu="host",
        serial="/dev/fd/5",
    )
    pairs = dict(itertools.pairwise(argv))
    assert pairs["-accel"] == "kvm"
    assert pairs["-cpu"] == "host"
    assert pairs["-drive"].endswith("id=probe,readonly=on,file=/a,,b.img")
    assert pairs["-device"] == "isa-debug-exit,iobase=0xf4,iosize=4"
    assert "virtio-blk-pci,drive=probe" in argv
    assert argv[-2:] == ["-serial", "file:/dev/fd/5"]


def test_bochs_command_and_configuration() -> None:
    assert bochs_argv("bochs", config="c", commands="r") == ["bochs", "-q", "-f", "c", "-rc", "r"]
    text = bochs_config(image=Path("/i.img"), cpu="model_x", serial="/s", log="/l")
    lines = text.splitlines()
    assert 'floppya: 1_44="/i.img", status=inserted, write_protected=1' in lines
    assert "com1: enabled=1, mode=file, dev=/s" in lines
    assert "log: /l" in lines
    assert any(line.startswith("cpu: model=model_x,") for line in lines)
    assert text.endswith("\n")


# ------------------------------------------------------------------------------------------ ends


def test_last_words_end_the_run_at_once(tmp_path: Path) -> None:
    outcome = run(emulator(tmp_path, 'echo "probe: done" > "$serial"; sleep 60'))
    assert outcome.end is End.SPOKE
    assert [line.text for line in outcome.lines] == ["probe: done"]
    assert outcome.seconds < 4


def test_an_unfinished_line_is_no_line(tmp_path: Path) -> None:
    outcome = run(emulator(tmp_path, 'printf "probe: long-mode\\r\\nprobe: done" > "$serial"'))
    assert outcome.end is End.EXITED
    assert [line.text for line in outcome.lines] == ["probe: long-mode"]


def test_silence_meets_the_limit_and_leaves_no_process(tmp_path: Path) -> None:
    script = emulator(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    outcome = run(script, seconds=0.5)
    assert outcome.end is End.LIMIT
    assert 0.5 <= outcome.seconds < 2
    assert not alive(wait_for(tmp_path / "pid"))


def test_an_emulator_that_gives_up_is_quoted(tmp_path: Path) -> None:
    outcome = run(emulator(tmp_path, "echo 'error: no such thing' >&2; exit 3"))
    assert outcome.end is End.EXITED
    assert outcome.status == 3
    assert "error: no such thing\n" in outcome.errors


def test_garbage_does_no_harm(tmp_path: Path) -> None:
    outcome = run(emulator(tmp_path, 'printf "\\377\\000\\n\\033[2Jprobe:\\n" > "$serial"; exit 0'))
    assert outcome.end is End.EXITED
    assert outcome.transcript.stage == 0


def test_a_flood_is_cut_off(tmp_path: Path) -> None:
    outcome = run(emulator(tmp_path, 'exec yes > "$serial"'))
    assert outcome.end is End.LIMIT
    assert outcome.seconds < 4
    assert sum(len(line.text) + 1 for line in outcome.lines) < 2 * SERIAL_LIMIT


SLOW_LOOP = """exec > "$serial"
echo "probe: loop 00000000 start"
sleep 0.5; echo "probe: loop 00000001 0007a120"
sleep 0.5; echo "probe: loop 00000002 000f4240"
sleep 0.5; echo "probe: done"
sleep 60"""


def test_a_kvm_that_emulates_is_cut_short(tmp_path: Path) -> None:
    outcome = run(emulator(tmp_path, SLOW_LOOP), kvm=True)
    assert outcome.end is End.EMULATED
    assert len(outcome.transcript.rounds) == 2


def test_an_emulator_may_be_slow(tmp_path: Path) -> None:
    assert run(emulator(tmp_path, SLOW_LOOP), kvm=False).end is End.SPOKE


def test_a_limit_in_a_slow_loop_is_called_by_its_name(tmp_path: Path) -> None:
    outcome = run(emulator(tmp_path, SLOW_LOOP), kvm=True, seconds=0.7)
    assert outcome.end is End.EMULATED


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    outcome = run(str(tmp_path / "nothing"))
    assert outcome.end is End.EXITED
    assert "not found" in outcome.errors


def test_no_setpriv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    outcome = run("/bin/true")
    assert outcome.end is End.NOT_STARTED
    assert "setpriv" in outcome.errors


def test_bochs_gets_a_terminal_its_files_and_its_serial_line(tmp_path: Path) -> None:
    script = tmp_path / "bochs"
    script.write_text(
        "#!/bin/sh\n"  # called as: bochs -q -f CONFIG -rc COMMANDS
        "test -t 0 && test -t 1 || exit 9\n"
        'serial=$(sed -n "s/^com1:.*dev=//p" "$3")\n'
        'log=$(sed -n "s/^log: //p" "$3")\n'
        'echo "a panic" > "$log"\n'
        'echo "probe: svm $(cat "$5")" > "$serial"\n'
        'echo "probe: done" > "$serial"\n'
    )
    script.chmod(0o755)
    bounds = Bounds(5, threading.Event())
    outcome = run_bochs(str(script), image=Path("/i.img"), cpu="m", bounds=bounds)
    assert outcome.end is End.SPOKE
    assert outcome.lines[0].text == "probe: svm c"
    assert "a panic" in outcome.errors


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    script = emulator(tmp_path, 'echo "probe: done" > "$serial"')
    run(script)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        run(script)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --------------------------------------------------------------------------------- interruption


def test_a_stopped_doctor_leaves_no_process(tmp_path: Path) -> None:
    script = emulator(tmp_path, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    bounds = Bounds(60, threading.Event())
    threading.Timer(0.3, bounds.stop.set).start()
    outcome = run_qemu(script, image=Path("/i"), accelerator=Accelerator.TCG, cpu="", bounds=bounds)
    assert outcome.end is End.STOPPED
    assert outcome.seconds < 2
    assert not alive(wait_for(tmp_path / "pid"))


DOCTOR = """
import os, signal, sys
os.sched_getaffinity = lambda _pid: range(8)  # so that there are several emulators at once
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
from pathlib import Path
from lab.doctor.engines import Ground, probe_engines
from lab.doctor.kvm import KvmNode
probe_engines(Path("/i.img"), Ground(sys.argv[1], sys.argv[1], KvmNode(), ""))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_emulator_outlives_the_doctor(tmp_path: Path, number: signal.Signals) -> None:
    script = emulator(tmp_path, f"echo $$ > {tmp_path}/$2.pid; exec sleep 60")
    environ = {**os.environ, "PYTHONPATH": str(SOURCE_TREE)}
    command = [sys.executable, "-c", DOCTOR, script]
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as doctor:
        pids = [wait_for(tmp_path / f"{name}.pid") for name in ("-no-user-config", "-f")]
        assert all(alive(pid) for pid in pids)
        doctor.send_signal(number)
        doctor.wait(5)
    deadline = time.monotonic() + 2
    while any(alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(alive(pid) for pid in pids)


# --------------------------------------------------------------------------------------- engines


NODE = KvmNode(exists=True, opens=True, api_version=12, creates_vcpu=True)

ABORT_ON_PLAIN_HOST = """case "$*" in
*"-cpu host -smp"*) echo "qemu-system-x86_64: error: no register" >&2; exit 1;;
*) echo "probe: done" > "$serial";;
esac"""


def test_kvm_gets_a_second_chance_with_another_cpu_model(tmp_path: Path) -> None:
    ground = Ground(emulator(tmp_path, ABORT_ON_PLAIN_HOST), None, NODE, "GenuineIntel")
    kvm, tcg, vmx_bochs, svm_bochs = probe_engines(tmp_path / "i", ground)
    assert kvm.engine.name == "vmx-kvm"
    assert kvm.cpu == "host,-arch-capabilities"
    assert kvm.reason.startswith("with -cpu host QEMU aborts (no register); with host,-arch-")
    assert tcg.engine.name == "svm-tcg"
    assert (vmx_bochs.engine.name, svm_bochs.engine.name) == ("vmx-bochs", "svm-bochs")
    for bochs in (vmx_bochs, svm_bochs):
        assert (bochs.verdict, bochs.reason) == (Verdict.ABSENT, "bochs is not installed")


def test_what_is_not_there_is_not_probed(tmp_path: Path) -> None:
    kvm, tcg, *_ = probe_engines(tmp_path / "i", Ground(None, None, NODE, ""))
    assert (kvm.verdict, tcg.verdict) == (Verdict.ABSENT, Verdict.ABSENT)
    closed = KvmNode(exists=True, error="Permission denied")
    kvm, *_ = probe_engines(tmp_path / "i", Ground(None, None, closed, ""))
    assert kvm.verdict is Verdict.FORBIDDEN
    kvm, *_ = probe_engines(tmp_path / "i", Ground(None, None, KvmNode(), "GenuineIntel"))
    assert (kvm.verdict, kvm.reason) == (Verdict.ABSENT, "there is no /dev/kvm")
    assert kvm.engine.name == "vmx-kvm"


def test_a_node_that_is_no_kvm(tmp_path: Path) -> None:
    assert not look_at_kvm(tmp_path / "kvm").exists
    (tmp_path / "kvm").write_text("")
    node = look_at_kvm(tmp_path / "kvm")
    assert (node.opens, node.api_version, node.creates_vcpu) == (True, 0, False)
    assert node.error


# ----------------------------------------------------------------------------------------- image


def config_in(directory: Path) -> Config:
    return Config(source=SOURCE_TREE, cache=directory / "cache", runs=directory / "runs")


def test_the_image_is_bootable_built_once_and_leaves_nothing_beside(tmp_path: Path) -> None:
    image = build_probe(config_in(tmp_path))
    content = image.read_bytes()
    assert len(content) == FLOPPY_BYTES
    assert content[510:512] == b"\x55\xaa"
    assert b"probe: boot-sector\n" in content[:512]
    assert not any(content[probe_image.MAX_BYTES :])
    far_jump = content.index(b"\xea")  # the first thing it does is to settle at 0000:7cxx
    assert far_jump < 16
    assert content[far_jump + 2 : far_jump + 5] == b"\x7c\x00\x00"
    before = image.stat().st_ino
    assert build_probe(config_in(tmp_path)).stat().st_ino == before
    assert list(image.parent.iterdir()) == [image]


def test_the_boot_sector_loads_as_much_as_the_image_may_hold() -> None:
    words = [line.split() for line in probe_image.SOURCE.read_text().splitlines()]
    (sectors,) = [int(line[2]) for line in words if line[:2] == [".set", "SECTORS,"]]
    assert (sectors + 1) * 512 == probe_image.MAX_BYTES


def test_another_source_is_another_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_probe(config_in(tmp_path))
    source = tmp_path / "probe.S"
    source.write_text(probe_image.SOURCE.read_text() + "# more\n")
    monkeypatch.setattr(probe_image, "SOURCE", source)
    assert build_probe(config_in(tmp_path)) != first


def test_an_image_that_does_not_assemble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "probe.S"
    source.write_text("nonsense %eax\n")
    monkeypatch.setattr(probe_image, "SOURCE", source)
    with pytest.raises(LabError, match="does not assemble") as caught:
        build_probe(config_in(tmp_path))
    assert caught.value.status is Status.BUILD
    assert "nonsense" in caught.value.detail
    assert not list((tmp_path / "cache" / "doctor").iterdir())


def test_an_image_that_grew_too_big(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "probe.S"
    source.write_text(probe_image.SOURCE.read_text() + "\t.data\n\t.fill 8192, 1, 1\n")
    monkeypatch.setattr(probe_image, "SOURCE", source)
    with pytest.raises(LabError, match="grown beyond"):
        build_probe(config_in(tmp_path))


def test_no_binutils(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="'as' is missing") as caught:
        build_probe(config_in(tmp_path))
    assert caught.value.status is Status.MISSING
    assert "binutils" in caught.value.hint


def test_a_cache_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", refuse)  # root may read everything
    with pytest.raises(LabError, match="Permission denied"):
        build_probe(config_in(tmp_path))


def test_a_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    with pytest.raises(LabError, match="cannot be written") as caught:
        build_probe(config_in(tmp_path))
    assert "DBOS_LAB_CACHE" in caught.value.hint
