# SPDX-License-Identifier: BSD-2-Clause
"""What is made of a transcript: features and verdicts."""

from __future__ import annotations

import pytest
from test_doctor_captures import (
    BOCHS,
    QEMU_ABORTS,
    SOFTWARE_KVM,
    TCG,
    lines_of,
    outcome_of,
    transcript_of,
    without,
)

from lab.doctor.features import CPUID_FEATURES, read_features
from lab.doctor.probe import End, Outcome
from lab.doctor.transcript import Transcript
from lab.doctor.verdict import Verdict, expected_vendor, first_error, judge
from lab.engine import SVM_KVM, SVM_TCG, VMX_BOCHS, VMX_KVM, Vendor

# -------------------------------------------------------------------------------------- features


def test_features_of_tcg() -> None:
    features = read_features(transcript_of(TCG))
    assert features.vendor == "AuthenticAMD"
    assert features.hypervisor_vendor == "TCGTCGTCGTCG"
    assert (features.physical_bits, features.linear_bits) == (40, 48)
    assert features.flags == {
        "svm",
        "npt",
        "1g-pages",
        "xsave",
        "xsaveopt",
        "smep",
        "smap",
        "fsgsbase",
        "hypervisor",
    }


def test_features_of_bochs() -> None:
    features = read_features(transcript_of(BOCHS))
    assert features.vendor == "GenuineIntel"
    assert features.hypervisor_vendor == ""
    wanted = "vmx ept vpid unrestricted-guest shadow-vmcs preemption-timer ept-1g pcid invpcid"
    assert features.flags >= set(wanted.split())
    assert "posted-interrupts" not in features.flags
    assert "hypervisor" not in features.flags
    assert "svm" not in features.flags


def test_features_of_software_kvm() -> None:
    features = read_features(transcript_of(SOFTWARE_KVM))
    assert features.vendor == "AuthenticAMD"
    assert features.hypervisor_vendor == "KVMKVMKVM"
    assert features.flags == {
        "x2apic",
        "xsave",
        "xsaveopt",
        "xsavec",
        "smep",
        "smap",
        "fsgsbase",
        "hypervisor",
    }


@pytest.mark.parametrize("name", sorted(CPUID_FEATURES))
def test_each_cpuid_bit_is_one_feature(name: str) -> None:
    leaf, subleaf, register, bit = CPUID_FEATURES[name]
    words = [0, 0, 0, 0]
    words[register] = 1 << bit
    svm = {(0x80000001, 0): (0, 0, 1 << 2, 0)}  # without it, leaf 8000000Ah means nothing
    leaves = svm | {(leaf, subleaf): (words[0], words[1], words[2], words[3])}
    assert read_features(Transcript(leaves=leaves)).flags - {"svm"} == {name} - {"svm"}


def test_a_hypervisor_that_hides_has_no_name() -> None:
    name = {(0x40000000, 0): (0, 0x4B4D564B, 0x564B4D56, 0x4D)}
    assert read_features(Transcript(leaves=name)).hypervisor_vendor == ""
    shown = name | {(1, 0): (0, 0, 1 << 31, 0)}
    assert read_features(Transcript(leaves=shown)).hypervisor_vendor == "KVMKVMKVM"


def test_svm_features_without_svm_do_not_count() -> None:
    leaves = {(0x8000000A, 0): (0, 0, 0, 0xFFFFFFFF)}
    assert read_features(Transcript(leaves=leaves)).flags == frozenset()


def test_vmx_words_without_vmx_do_not_count() -> None:
    assert read_features(Transcript(msrs={0x48B: 2**64 - 1})).flags == frozenset()


# -------------------------------------------------------------------------------------- verdicts


def test_good_engines_boot() -> None:
    assert judge(SVM_TCG, SVM_TCG.cpu, outcome_of(TCG)).verdict is Verdict.BOOTS
    assert judge(SVM_TCG, SVM_TCG.cpu, outcome_of(TCG)).usable
    assert judge(VMX_BOCHS, VMX_BOCHS.cpu, outcome_of(BOCHS)).usable


def test_software_kvm_is_named_with_its_rate() -> None:
    probe = judge(SVM_KVM, "host", outcome_of(SOFTWARE_KVM, End.EMULATED))
    assert probe.verdict is Verdict.EMULATED
    assert not probe.usable
    assert probe.reason == "ring 0 runs at 1.9 MIPS: emulated instruction by instruction"


def test_a_disk_that_cannot_be_read() -> None:
    probe = judge(SVM_TCG, "", outcome_of("0.1 probe: boot-sector\n0.2 probe: disk-error"))
    assert (probe.verdict, probe.reason) == (
        Verdict.FAULTED,
        "the firmware could not read the probe's disk",
    )


def test_a_triple_fault_is_a_reset() -> None:
    probe = judge(SVM_TCG, "", Outcome(End.EXITED, lines_of("0.1 probe: boot-sector"), status=0))
    assert probe.verdict is Verdict.FAULTED
    assert probe.reason == "the machine reset itself: the probe did not reach long mode"


def test_a_dead_emulator_is_quoted() -> None:
    outcome = Outcome(End.EXITED, status=-6, errors=QEMU_ABORTS)
    probe = judge(SVM_KVM, "host", outcome)
    assert probe.verdict is Verdict.DIED
    assert probe.reason == "the emulator ended with status -6: failed to set MSR 0x10a to 0x69"


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (0, "its firmware did not even start the probe in 10 s"),
        (2, "the probe did not reach long mode in 10 s"),
        (3, "the probe did not finish its ring-0 loop in 10 s"),
        (11, "the probe did not finish its virtualization trial in 10 s"),
    ],
)
def test_a_stuck_engine_says_where(lines: int, reason: str) -> None:
    text = "\n".join(["0.0 ", *without(TCG, "cpuid").splitlines()][:lines])
    probe = judge(SVM_TCG, "", outcome_of(text, End.LIMIT, seconds=10.0))
    assert probe.verdict is Verdict.STUCK
    assert probe.reason.startswith(reason)


@pytest.mark.parametrize(
    ("capture", "change", "reason"),
    [
        (TCG, ("00000075", "00000071"), "its guests see no SVM"),
        (TCG, ("vmrun 00000001", "vmrun 00000000"), "its SVM has no nested paging"),
        (TCG, ("0000000000000081", "ffffffffffffffff"), "VMRUN ended with exit code 0xfffff"),
        (TCG, ("000000000000600d", "0000000000000000"), "VMRUN ended with exit code 0x81"),
        (TCG, ("vmrun 00000001", "locked-off"), "SVM cannot be switched on"),
        (BOCHS, ("77faf3bf", "77faf39f"), "its guests see no VT-x"),
        (BOCHS, ("vmxoff-ok", "gone"), "VT-x cannot be switched on (vmxon-ok gone)"),
        (BOCHS, ("02177fff", "02177ffd"), "its VT-x has no EPT"),
    ],
)
def test_booting_without_virtualization_is_not_enough(
    capture: str, change: tuple[str, str], reason: str
) -> None:
    assert change[0] in capture
    engine = SVM_TCG if capture is TCG else VMX_KVM
    probe = judge(engine, "", outcome_of(capture.replace(*change)))
    assert probe.verdict is Verdict.NO_NESTING
    assert probe.reason.startswith(reason)
    assert not probe.usable


def test_the_vendor_inside_decides_which_kvm_it_is() -> None:
    assert expected_vendor(transcript_of(BOCHS), "AuthenticAMD") is Vendor.VMX
    assert expected_vendor(transcript_of(TCG), "GenuineIntel") is Vendor.SVM
    assert expected_vendor(Transcript(), "GenuineIntel") is Vendor.VMX


def test_the_telling_line_of_an_error_is_picked() -> None:
    assert first_error(QEMU_ABORTS) == "failed to set MSR 0x10a to 0x69"
    assert first_error("a\nb: warning: c\n") == "a"
    assert first_error("0000p[SIM   ] >>PANIC<< no plugin\nerror later\n") == "no plugin"
    assert first_error("") == ""
