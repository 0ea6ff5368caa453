# SPDX-License-Identifier: BSD-2-Clause
"""The probe's words and what is made of them, on what real machines said and on noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.doctor.features import CPUID_FEATURES, FLAGS, read_features
from lab.doctor.image import SOURCE
from lab.doctor.probe import End, Outcome
from lab.doctor.transcript import ROUNDS, Line, Round, Stage, Transcript, parse_transcript
from lab.doctor.verdict import Verdict, expected_vendor, first_error, judge
from lab.engine import SVM_KVM, SVM_TCG, VMX_BOCHS, VMX_KVM, Vendor

TCG = """\
0.084 probe: boot-sector
0.088 probe: long-mode
0.088 probe: cpuid 00000000 00000000 0000000d 68747541 444d4163 69746e65
0.088 probe: cpuid 00000001 00000000 00800f12 00000800 f6d8320b 078bfbfd
0.088 probe: cpuid 00000007 00000000 00000000 009801a9 00000000 00000000
0.088 probe: cpuid 0000000d 00000001 00000005 00000340 00000000 00000000
0.088 probe: cpuid 40000000 00000000 40000001 54474354 43544743 47435447
0.088 probe: cpuid 80000000 00000000 8000001e 68747541 444d4163 69746e65
0.088 probe: cpuid 80000001 00000000 00800f12 00000000 00000075 2dd3fbfd
0.088 probe: cpuid 80000008 00000000 00003028 00000000 00000000 00000000
0.088 probe: cpuid 8000000a 00000000 00000001 00000010 00000000 00000001
0.088 probe: loop 00000000 start
0.088 probe: loop 00000001 0007a120
0.093 probe: loop 00000002 000f4240
0.097 probe: loop 00000003 001e8480
0.109 probe: loop 00000004 003d0900
0.120 probe: loop 00000005 007a1200
0.153 probe: loop 00000006 00f42400
0.221 probe: loop 00000007 01e84800
0.223 probe: msr c0010114 0000000000000000
0.223 probe: svm vmrun 00000001 0000000000000081 000000000000600d
0.223 probe: done
"""
"""QEMU 7.2 TCG, ``-cpu EPYC,+svm,+npt``."""

BOCHS = """\
0.167 probe: boot-sector
0.177 probe: long-mode
0.178 probe: cpuid 00000000 00000000 00000016 756e6547 6c65746e 49656e69
0.180 probe: cpuid 00000001 00000000 00050654 00010800 77faf3bf bfebfbff
0.184 probe: cpuid 00000007 00000000 00000000 d19f27eb 00000000 00000000
0.184 probe: cpuid 0000000d 00000001 0000000f 00000000 00000000 00000000
0.184 probe: cpuid 80000000 00000000 80000008 00000000 00000000 00000000
0.185 probe: cpuid 80000001 00000000 00000000 00000000 00000121 2c100800
0.187 probe: cpuid 80000008 00000000 00003028 00000000 00000000 00000000
0.187 probe: loop 00000000 start
0.192 probe: loop 00000001 0007a120
0.204 probe: loop 00000002 000f4240
0.231 probe: loop 00000003 001e8480
0.274 probe: loop 00000004 003d0900
0.363 probe: loop 00000005 007a1200
0.526 probe: loop 00000006 00f42400
0.866 probe: loop 00000007 01e84800
0.869 probe: msr 0000003a 0000000000000005
0.869 probe: msr 00000480 00d810000000002b
0.869 probe: msr 00000481 0000007f00000016
0.869 probe: msr 00000482 f7f9fffe0401e172
0.869 probe: msr 00000485 00000000600401e0
0.869 probe: msr 0000048b 02177fff00000000
0.869 probe: msr 0000048c 00000f0106334141
0.869 probe: msr 0000048d 0000007f00000016
0.869 probe: msr 0000048e f7f9fffe04006172
0.869 probe: vmx vmxon-ok
0.869 probe: vmx vmxoff-ok
0.869 probe: done
"""
"""Bochs 2.7, ``model=corei7_skylake_x``."""

SOFTWARE_KVM = """\
5.745 probe: boot-sector
5.844 probe: long-mode
5.849 probe: cpuid 00000000 00000000 0000001c 68747541 444d4163 69746e65
5.849 probe: cpuid 00000001 00000000 00a10f11 00000800 f7f83203 178bfbff
5.850 probe: cpuid 00000007 00000000 00000001 f1bf03ab 00005f46 00000010
5.853 probe: cpuid 0000000d 00000001 00000007 00000240 00000000 00000000
5.857 probe: cpuid 40000000 00000000 40000001 4b4d564b 564b4d56 0000004d
5.857 probe: cpuid 80000000 00000000 80000021 68747541 444d4163 69746e65
5.861 probe: cpuid 80000001 00000000 00a10f11 00000000 00000393 23d3fbff
5.866 probe: cpuid 80000008 00000000 00003030 00000005 00000000 00000000
5.873 probe: cpuid 8000000a 00000000 00000000 00000000 00000000 00000000
5.873 probe: loop 00000000 start
6.135 probe: loop 00000001 0007a120
6.670 probe: loop 00000002 000f4240
7.749 probe: loop 00000003 001e8480
"""
"""A KVM that interprets ring 0, ``-cpu host,-arch-capabilities``; cut short by the doctor."""

QEMU_ABORTS = """\
qemu-system-x86_64: warning: host doesn't support requested feature: CPUID.01H:ECX.pni [bit 0]
qemu-system-x86_64: error: failed to set MSR 0x10a to 0x69
qemu-system-x86_64: ../../target/i386/kvm/kvm.c:3183: kvm_buf_set_msrs: Assertion failed.
"""
"""The same KVM with ``-cpu host``."""


def lines_of(capture: str) -> tuple[Line, ...]:
    pairs = (text.partition(" ") for text in capture.splitlines())
    return tuple(Line(float(seconds), text) for seconds, _, text in pairs)


def transcript_of(capture: str) -> Transcript:
    return parse_transcript(lines_of(capture))


def outcome_of(capture: str, end: End = End.SPOKE, **rest: object) -> Outcome:
    return Outcome(end, lines_of(capture), **rest)  # type: ignore[arg-type]


def without(capture: str, *words: str) -> str:
    kept = [line for line in capture.splitlines() if not any(word in line for word in words)]
    return "\n".join(kept)


# ------------------------------------------------------------------------------ real transcripts


def test_tcg_runs_to_the_end_and_runs_a_guest_of_its_own() -> None:
    said = transcript_of(TCG)
    assert said.stage is Stage.DONE
    assert said.vmrun is not None
    assert said.vmrun.worked
    assert said.vmrun.nested_paging
    assert said.msrs == {0xC0010114: 0}
    assert said.mips is not None
    assert 100 < said.mips < 2000


def test_bochs_runs_to_the_end_and_switches_vtx_on_and_off() -> None:
    said = transcript_of(BOCHS)
    assert said.stage is Stage.DONE
    assert said.vmx == ("vmxon-ok", "vmxoff-ok")
    assert said.vmrun is None
    assert said.msrs[0x3A] == 5
    assert said.msrs[0x48C] == 0x00000F0106334141


def test_software_kvm_is_seen_to_be_slow_from_its_first_rounds() -> None:
    said = transcript_of(SOFTWARE_KVM)
    assert said.stage is Stage.LONG_MODE
    assert said.mips == pytest.approx(1.9, abs=0.2)


def test_rounds_are_counted_from_the_start_line() -> None:
    said = transcript_of("2.0 probe: loop 00000000 start\n2.5 probe: loop 00000001 0007a120")
    assert said.rounds == (Round(1, 500_000, 0.5),)
    assert said.mips == 1.0


def test_a_missing_round_ends_the_count() -> None:
    said = transcript_of(without(TCG, "loop 00000003"))
    assert [turn.number for turn in said.rounds] == [1, 2]


def test_a_faulting_msr_is_told_from_zero() -> None:
    said = transcript_of("1.0 probe: msr 0000003a fault\n1.0 probe: msr 00000480 0000000000000000")
    assert said.msrs == {0x3A: None, 0x480: 0}


def test_an_exception_is_reported_with_its_place() -> None:
    text = "1.0 probe: exception 0000000d 00000000 0000000000007f00 0000000000000010"
    outcome = outcome_of(text)
    assert outcome.transcript.fault is not None
    probe = judge(SVM_TCG, "EPYC", outcome)
    assert probe.verdict is Verdict.FAULTED
    assert "exception 13 at 0x7f00" in probe.reason


def test_the_assembly_does_as_many_rounds_as_the_parser_expects() -> None:
    words = [line.split() for line in SOURCE.read_text().splitlines()]
    assert [".set", "ROUNDS,", str(ROUNDS)] in words


# ----------------------------------------------------------------------------------------- noise


def text_of(capture: str) -> str:
    return "".join(f"{line.text}\n" for line in lines_of(capture))


@given(st.sampled_from([TCG, BOCHS, SOFTWARE_KVM]), st.data())
def test_a_transcript_cut_anywhere_tells_nothing_false(capture: str, data: st.DataObject) -> None:
    text = text_of(capture)
    cut = text[: data.draw(st.integers(0, len(text)))]
    part = parse_transcript(Line(1.0, line) for line in cut.split("\n"))
    whole = transcript_of(capture)
    assert part.stage <= whole.stage
    assert part.leaves.items() <= whole.leaves.items()
    assert part.msrs.items() <= whole.msrs.items()
    assert len(part.rounds) <= len(whole.rounds)
    assert part.vmrun in {None, whole.vmrun}


@given(st.sampled_from([TCG, BOCHS]), st.data())
def test_a_lost_character_never_makes_another_number(capture: str, data: st.DataObject) -> None:
    text = text_of(capture)
    place = data.draw(st.integers(0, len(text) - 2))
    damaged = text[:place] + text[place + 1 :]
    part = parse_transcript(Line(1.0, line) for line in damaged.split("\n"))
    whole = transcript_of(capture)
    assert part.leaves.items() <= whole.leaves.items()
    assert part.msrs.items() <= whole.msrs.items()
    assert part.vmrun in {None, whole.vmrun}


@given(st.sampled_from([TCG, BOCHS]), st.data())
def test_a_stray_digit_never_makes_another_number(capture: str, data: st.DataObject) -> None:
    text = text_of(capture)
    place = data.draw(st.integers(0, len(text)))
    damaged = text[:place] + "1" + text[place:]
    part = parse_transcript(Line(1.0, line) for line in damaged.split("\n"))
    whole = transcript_of(capture)
    assert part.leaves.items() <= whole.leaves.items()
    assert part.msrs.items() <= whole.msrs.items()
    assert part.vmrun in {None, whole.vmrun}


WORDS = ["cpuid", "loop", "msr", "svm", "vmx", "vmrun", "exception", "done", "start", "fault"]
NOISE = st.lists(
    st.one_of(
        st.text(),
        st.lists(
            st.one_of(
                st.sampled_from(WORDS),
                st.integers(0, 2**64 - 1).map("{:016x}".format),
                st.integers(0, 2**32 - 1).map("{:08x}".format),
                st.text(max_size=3),
            )
        ).map(lambda words: "probe: " + " ".join(words)),
    )
)


@given(NOISE, st.sampled_from(list(End)), st.sampled_from([SVM_KVM, SVM_TCG, VMX_BOCHS]))
def test_noise_is_judged_without_an_error(texts: list[str], end: End, engine: object) -> None:
    lines = tuple(Line(0.1 * number, text) for number, text in enumerate(texts))
    features = read_features(parse_transcript(lines))
    assert features.flags <= set(FLAGS)
    assert isinstance(engine, type(SVM_TCG))
    if end is not End.EMULATED:  # that end implies a rate
        assert judge(engine, "", Outcome(end, lines)).reason


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
    assert judge(VMX_BOCHS, VMX_BOCHS.cpu, outcome_of(BOCHS)).verdict is Verdict.BOOTS


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


def test_bochs_boots_but_is_not_usable_yet() -> None:
    assert not judge(VMX_BOCHS, "", outcome_of(BOCHS)).usable


def test_the_vendor_inside_decides_which_kvm_it_is() -> None:
    assert expected_vendor(transcript_of(BOCHS), "AuthenticAMD") is Vendor.VMX
    assert expected_vendor(transcript_of(TCG), "GenuineIntel") is Vendor.SVM
    assert expected_vendor(Transcript(), "GenuineIntel") is Vendor.VMX


def test_the_telling_line_of_an_error_is_picked() -> None:
    assert first_error(QEMU_ABORTS) == "failed to set MSR 0x10a to 0x69"
    assert first_error("a\nb: warning: c\n") == "a"
    assert first_error("0000p[SIM   ] >>PANIC<< no plugin\nerror later\n") == "no plugin"
    assert first_error("") == ""
