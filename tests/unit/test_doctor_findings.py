# SPDX-License-Identifier: BSD-2-Clause
"""What the doctor concludes, shows, and remembers; no engine is booted here."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from lab.config import Config
from lab.doctor import report
from lab.doctor import shape as shape_module
from lab.doctor.diagnosis import Diagnosis
from lab.doctor.engines import Ground
from lab.doctor.features import FLAGS, Features
from lab.doctor.findings import Finding, Level, find
from lab.doctor.host import Host, look_at_host, parse_qemu_version
from lab.doctor.kvm import KvmNode
from lab.doctor.packages import install_command
from lab.doctor.report import is_met, main_report, screen, to_json
from lab.doctor.shape import probe_from_json, probe_to_json
from lab.doctor.verdict import EngineProbe, Verdict
from lab.engine import ENGINES, SVM_KVM, SVM_TCG, VMX_BOCHS, VMX_KVM, Engine

GIB = 1 << 30
GOOD_NODE = KvmNode(exists=True, opens=True, api_version=12, creates_vcpu=True, nested_state=True)
GOOD_HOST = Host(
    ground=Ground("/usr/bin/qemu-system-x86_64", "/usr/bin/bochs", GOOD_NODE, "AuthenticAMD"),
    qemu_version=(7, 2, 22),
    python_version=(3, 11),
    missing_programs=(),
    processor_flags=frozenset({"svm"}),
    nesting="1",
    nesting_module="kvm_amd",
    cores=2,
    memory_free=8 * GIB,
    disk_free=20 * GIB,
    cache="/cache",
)
AMD = Features("AuthenticAMD", "TCGTCGTCGTCG", 40, 48, frozenset({"svm", "npt"}))
INTEL = Features("GenuineIntel", "", 40, 48, frozenset(FLAGS) - {"svm", "npt", "hypervisor"})


def probe(engine: Engine, verdict: Verdict = Verdict.BOOTS, reason: str = "works") -> EngineProbe:
    features = INTEL if engine.vendor.value == "vmx" else AMD
    return EngineProbe(engine, verdict, reason, engine.cpu, 450.0, 0.25, features, "evidence\n")


ALL_GOOD = (probe(SVM_KVM), probe(SVM_TCG), probe(VMX_BOCHS))
SLOW = "ring 0 runs at 1.9 MIPS: emulated instruction by instruction"
NO_KVM = (probe(SVM_KVM, Verdict.EMULATED, SLOW), probe(SVM_TCG), probe(VMX_BOCHS))


def found(host: Host, probes: tuple[EngineProbe, ...] = ALL_GOOD) -> dict[str, Finding]:
    findings = find(host, probes)
    by_id = {finding.id: finding for finding in findings}
    assert len(by_id) == len(findings), "an id is used twice"
    return by_id


def with_ground(**change: object) -> Host:
    return replace(GOOD_HOST, ground=replace(GOOD_HOST.ground, **change))  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------- findings


def test_a_good_host_needs_nothing() -> None:
    assert [f for f in find(GOOD_HOST, ALL_GOOD) if f.level is not Level.OK] == []


def test_an_unusable_kvm_is_named_with_its_reason_and_what_is_used_instead() -> None:
    finding = found(GOOD_HOST, NO_KVM)["kvm-boots"]
    assert finding.level is Level.WARN
    assert finding.cause == f"KVM is unusable: {SLOW}"
    assert "svm-tcg is used" in finding.next


def test_every_trouble_has_a_cause_and_a_next_command() -> None:
    bad = replace(
        with_ground(qemu=None, bochs=None, kvm=KvmNode()),
        missing_programs=("mmdebstrap", "as", "ld"),
        python_version=(3, 9),
        processor_flags=frozenset(),
        cores=1,
        memory_free=0,
        disk_free=0,
    )
    absent = tuple(probe(p.engine, Verdict.ABSENT) for p in ALL_GOOD)
    findings = find(bad, absent)
    assert {f.id for f in findings} >= {"qemu-missing", "kvm-node", "tools", "bochs", "disk"}
    for finding in findings:
        assert finding.level is not Level.OK, finding
        assert finding.cause
        assert finding.next


@pytest.mark.parametrize(
    ("change", "ident", "level", "command"),
    [
        ({"qemu_version": ()}, "qemu-version", Level.FAIL, "--version"),
        ({"qemu_version": (6, 2, 0)}, "qemu-version", Level.WARN, "qemu-system-x86"),
        ({"missing_programs": ("as", "ld", "cpio")}, "tools", Level.FAIL, "binutils cpio"),
        ({"python_version": (3, 10)}, "python", Level.FAIL, "python3"),
        ({"disk_free": GIB}, "disk", Level.FAIL, "DBOS_LAB_CACHE"),
        ({"memory_free": GIB}, "memory", Level.WARN, "1.5 GiB"),
        ({"cores": 1}, "cores", Level.WARN, "2 cores"),
    ],
)
def test_what_is_short(change: dict[str, object], ident: str, level: Level, command: str) -> None:
    assert found(GOOD_HOST)[ident].level is Level.OK
    finding = found(replace(GOOD_HOST, **change))[ident]  # type: ignore[arg-type]
    assert finding.level is level
    assert command in finding.next


def test_versions_compare_by_number() -> None:
    assert found(replace(GOOD_HOST, qemu_version=(10, 0)))["qemu-version"].level is Level.OK


@pytest.mark.parametrize(
    ("node", "ident", "command"),
    [
        (KvmNode(), "kvm-node", "modprobe kvm_amd"),
        (KvmNode(exists=True, error="no", group="kvm"), "kvm-perm", "usermod -aG kvm"),
        (KvmNode(exists=True, error="no"), "kvm-perm", "chown"),
        (KvmNode(exists=True, error=os.strerror(1)), "kvm-perm", "--device /dev/kvm"),
        (replace(GOOD_NODE, api_version=11), "kvm-api", "dmesg"),
        (replace(GOOD_NODE, creates_vcpu=False, error="EIO"), "kvm-api", "dmesg"),
    ],
)
def test_kvm_steps_stop_at_the_first_that_fails(node: KvmNode, ident: str, command: str) -> None:
    findings = found(with_ground(kvm=node), NO_KVM)
    assert findings[ident].level is Level.WARN
    assert command in findings[ident].next
    assert "kvm-boots" not in findings


def test_a_missing_qemu_is_reported_once() -> None:
    absent = (probe(SVM_KVM, Verdict.ABSENT), probe(SVM_TCG, Verdict.ABSENT), probe(VMX_BOCHS))
    findings = found(with_ground(qemu=None), absent)
    assert findings["qemu-missing"].level is Level.FAIL
    assert not {"qemu-version", "kvm-boots"} & findings.keys()


def test_nesting_that_is_switched_off() -> None:
    probes = (probe(VMX_KVM, Verdict.NO_NESTING), probe(SVM_TCG), probe(VMX_BOCHS))
    host = replace(GOOD_HOST, nesting="N", nesting_module="kvm_intel")
    findings = found(host, probes)
    assert findings["kvm-boots"].level is Level.OK
    assert "modprobe kvm_intel nested=1" in findings["nested-host"].next
    assert "hypervisor" in found(GOOD_HOST, probes)["nested-host"].next


def test_where_a_guest_can_be_a_hypervisor() -> None:
    findings = found(GOOD_HOST, (probe(VMX_KVM), probe(SVM_TCG), probe(VMX_BOCHS)))
    assert findings["nested-guest-svm"].cause == "svm-tcg: works"
    assert findings["nested-guest-vmx"].level is Level.OK
    findings = found(GOOD_HOST, tuple(probe(p.engine, Verdict.STUCK) for p in ALL_GOOD))
    assert findings["nested-guest-svm"].level is Level.FAIL
    assert "bochs" in findings["nested-guest-vmx"].next
    assert findings["bochs"].level is Level.WARN


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)\n", (7, 2, 22)),
        ("QEMU emulator version 10.0.2\n", (10, 0, 2)),
        ("QEMU emulator version unknown\n", ()),
        ("", ()),
    ],
)
def test_qemu_versions(text: str, version: tuple[int, ...]) -> None:
    assert parse_qemu_version(text) == version


def test_install_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert install_command("b", "a b") == "install these packages: b a"
    apt = tmp_path / "apt-get"
    apt.touch(0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert install_command("a") == "sudo apt-get install a"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert install_command("a") == "apt-get install a"


def test_this_host_can_be_looked_at(tmp_path: Path) -> None:
    host = look_at_host(Config(tmp_path, tmp_path / "not" / "there", tmp_path))
    assert host.cores >= 1
    assert host.memory_free > 0
    assert host.disk_free > 0


# ---------------------------------------------------------------------------------------- choice


def diagnosis_of(probes: tuple[EngineProbe, ...]) -> Diagnosis:
    return Diagnosis(GOOD_HOST, probes, find(GOOD_HOST, probes), 4.5)


def test_the_default_is_the_best_that_boots() -> None:
    assert diagnosis_of(ALL_GOOD).default == SVM_KVM
    assert diagnosis_of(NO_KVM).default == SVM_TCG
    only_bochs = (*(probe(e, Verdict.STUCK) for e in (SVM_KVM, SVM_TCG)), probe(VMX_BOCHS))
    assert diagnosis_of(only_bochs).default == VMX_BOCHS
    none = tuple(probe(engine, Verdict.STUCK) for engine in ENGINES)
    assert diagnosis_of(none).default is None


def test_requirements_are_met_by_usable_engines_only() -> None:
    assert is_met("svm", NO_KVM)
    assert is_met("vmx", NO_KVM)
    assert not is_met("vmx", (probe(SVM_TCG), probe(VMX_BOCHS, Verdict.STUCK)))
    assert not is_met("kvm", NO_KVM)
    assert is_met("kvm", ALL_GOOD)
    assert is_met("vmx", (probe(VMX_KVM),))


@pytest.mark.parametrize(
    ("probes", "require", "status"),
    [
        (NO_KVM, (), 0),
        (NO_KVM, ("svm",), 0),
        (NO_KVM, ("svm", "vmx"), 0),
        (NO_KVM, ("svm", "kvm"), 3),
        ((probe(SVM_TCG, Verdict.STUCK),), (), 3),
    ],
)
def test_exit_status(
    probes: tuple[EngineProbe, ...],
    require: tuple[str, ...],
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(report, "diagnose", lambda config: diagnosis_of(probes))
    config = Config(Path("/"), Path("/"), Path("/"))
    assert main_report(config, as_json=True, require=require) == status
    assert json.loads(capsys.readouterr().out)["schema"] == "dbos-lab/doctor"
    assert main_report(config, as_json=False, require=require) == status
    assert "svm-tcg" in capsys.readouterr().out


# ----------------------------------------------------------------------------------------- shape


PROBES = st.builds(
    EngineProbe,
    engine=st.sampled_from(ENGINES),
    verdict=st.sampled_from(list(Verdict)),
    reason=st.text(),
    cpu=st.text(),
    mips=st.none() | st.integers(0, 10**6).map(lambda n: n / 100),
    seconds=st.integers(0, 20_000).map(lambda n: n / 1000),
    features=st.none()
    | st.builds(
        Features,
        vendor=st.text(),
        hypervisor_vendor=st.text(),
        physical_bits=st.integers(0, 255),
        linear_bits=st.integers(0, 255),
        flags=st.frozensets(st.sampled_from(FLAGS)),
    ),
)


@given(PROBES)
def test_an_engine_survives_the_way_through_json(original: EngineProbe) -> None:
    assert probe_from_json(json.loads(json.dumps(probe_to_json(original)))) == original


def test_the_documented_shape() -> None:
    shape = to_json(diagnosis_of(NO_KVM), ["kvm"])
    assert (shape["schema"], shape["version"]) == ("dbos-lab/doctor", 1)
    assert shape["default"] == "svm-tcg"
    assert shape["required"] == [{"name": "kvm", "met": False}]
    assert shape["host"]["qemu_version"] == "7.2.22"
    kvm, tcg, bochs = shape["engines"]
    assert (kvm["name"], kvm["verdict"], kvm["usable"]) == ("svm-kvm", "emulated", False)
    assert tcg["features"]["flags"]["svm"] is True
    assert tcg["features"]["flags"]["nrip-save"] is False
    assert set(bochs["features"]["flags"]) == set(FLAGS)
    assert all(set(f) == {"id", "level", "cause", "next"} for f in shape["findings"])
    for name in shape.keys() | shape["host"].keys() | tcg.keys() | tcg["features"].keys():
        assert name in str(shape_module.__doc__)


def test_the_screen_fits() -> None:
    console = Console(file=io.StringIO(), width=80, highlight=False)
    with console.capture() as capture:
        console.print(screen(diagnosis_of(NO_KVM), ["kvm"]))
    lines = capture.get().splitlines()
    assert len(lines) <= 24
    text = " ".join(" ".join(lines).split())
    assert "default engine: svm-tcg" in text
    assert "required: kvm: missing" in text
    assert "emulated instruction" in text
