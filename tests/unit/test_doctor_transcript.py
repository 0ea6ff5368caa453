# SPDX-License-Identifier: BSD-2-Clause
"""The probe's words taken apart: what real machines said, and noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_doctor_captures import (
    BOCHS,
    SOFTWARE_KVM,
    TCG,
    outcome_of,
    text_of,
    transcript_of,
    without,
)

from lab.doctor.features import FLAGS, read_features
from lab.doctor.image import SOURCE
from lab.doctor.probe import End, Outcome
from lab.doctor.transcript import ROUNDS, Line, Round, Stage, parse_transcript
from lab.doctor.verdict import Verdict, judge
from lab.engine import SVM_KVM, SVM_TCG, VMX_BOCHS

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
