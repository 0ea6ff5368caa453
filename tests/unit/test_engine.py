# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.engine import (
    ENGINES,
    SVM_BOCHS,
    SVM_ICOUNT,
    SVM_KVM,
    SVM_TCG,
    VMX_BOCHS,
    VMX_KVM,
    Engine,
    choose_engine,
    engine_named,
)
from lab.errors import LabError, Status


def test_kvm_is_preferred_to_emulation_in_whatever_order_they_are_found() -> None:
    assert choose_engine(None, lambda: [SVM_TCG, SVM_KVM]) is SVM_KVM
    assert choose_engine(None, lambda: [SVM_TCG, VMX_KVM]) is VMX_KVM
    assert choose_engine(None, lambda: [SVM_TCG]) is SVM_TCG


def test_the_engine_asked_for_wins_if_it_boots() -> None:
    assert choose_engine("svm-tcg", lambda: [SVM_KVM, SVM_TCG]) is SVM_TCG


def test_one_that_does_not_boot_here_is_refused() -> None:
    with pytest.raises(LabError) as caught:
        choose_engine("svm-kvm", lambda: [SVM_TCG])
    assert caught.value.status is Status.MISSING
    assert "svm-kvm does not boot" in caught.value.message


def test_none_at_all() -> None:
    with pytest.raises(LabError) as caught:
        choose_engine(None, list)
    assert caught.value.status is Status.MISSING


def test_bochs_is_taken_when_asked_for_and_when_there_is_nothing_faster() -> None:
    assert choose_engine("vmx-bochs", lambda: [SVM_TCG, VMX_BOCHS, SVM_BOCHS]) is VMX_BOCHS
    assert choose_engine("svm-bochs", lambda: [SVM_TCG, VMX_BOCHS, SVM_BOCHS]) is SVM_BOCHS
    assert choose_engine(None, lambda: [SVM_BOCHS, VMX_BOCHS, SVM_TCG]) is SVM_TCG
    assert choose_engine(None, lambda: [SVM_BOCHS]) is SVM_BOCHS


def test_counting_instructions_is_had_by_name_alone_where_tcg_boots() -> None:
    assert SVM_ICOUNT not in ENGINES
    assert choose_engine("svm-icount", lambda: [SVM_TCG, SVM_KVM]) is SVM_ICOUNT
    assert choose_engine(None, lambda: [SVM_TCG]) is SVM_TCG
    with pytest.raises(LabError) as caught:
        choose_engine("svm-icount", lambda: [SVM_KVM, VMX_BOCHS])
    assert "svm-icount does not boot" in caught.value.message


def test_counting_instructions_takes_one_processor_and_spares_none() -> None:
    assert (SVM_ICOUNT.default_cpus, SVM_ICOUNT.spares_first_cpu) == (1, False)
    assert (SVM_TCG.default_cpus, SVM_TCG.spares_first_cpu) == (2, True)
    assert SVM_ICOUNT.cpu == SVM_TCG.cpu


def test_an_unknown_name_gets_the_nearest_before_anything_is_probed() -> None:
    def probe() -> Sequence[Engine]:
        raise AssertionError("probed for a name that does not exist")

    with pytest.raises(LabError) as caught:
        choose_engine("svm-tgc", probe)
    assert caught.value.status is Status.USAGE
    assert "did you mean svm-tcg?" in caught.value.message


def test_a_hopeless_name_gets_the_list() -> None:
    with pytest.raises(LabError) as caught:
        engine_named("zzzz")
    assert "did you mean" not in caught.value.message
    assert "vmx-bochs" in caught.value.hint


def test_probes_are_asked_once() -> None:
    calls = []

    def probe() -> Sequence[Engine]:
        calls.append(1)
        return [SVM_TCG]

    choose_engine(None, probe)
    assert len(calls) == 1
