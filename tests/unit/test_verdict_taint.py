# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest

from lab.verdict.taint import TAINTS, gained, parse_taint

OUT_OF_TREE_AND_UNSIGNED = 1 << 12 | 1 << 13


def test_the_bits_are_in_order_and_each_letter_is_used_once() -> None:
    assert [taint.bit for taint in TAINTS] == list(range(len(TAINTS)))
    assert "".join(taint.letter for taint in TAINTS) == "PFSRMBUDAWCIOELKXTN"


def test_what_is_normal_here_is_no_complaint() -> None:
    assert [t.letter for t in gained(0, OUT_OF_TREE_AND_UNSIGNED)] == ["O", "E"]
    assert not any(t.complaint for t in gained(0, OUT_OF_TREE_AND_UNSIGNED))


@pytest.mark.parametrize("letter", "FRMBDWL")
def test_what_speaks_of_a_broken_kernel_is_a_complaint(letter: str) -> None:
    bit = next(taint.bit for taint in TAINTS if taint.letter == letter)
    (taint,) = gained(OUT_OF_TREE_AND_UNSIGNED, OUT_OF_TREE_AND_UNSIGNED | 1 << bit)
    assert (taint.letter, taint.complaint) == (letter, True)


def test_only_what_is_new_counts() -> None:
    assert gained(1 << 9, 1 << 9) == ()
    assert gained(1 << 9, 0) == ()


def test_a_flag_of_a_newer_kernel_is_not_passed_over() -> None:
    (taint,) = gained(0, 1 << 25)
    assert taint.complaint
    assert "25" in taint.meaning


def test_the_guests_answer_is_read() -> None:
    assert parse_taint("12288\n") == OUT_OF_TREE_AND_UNSIGNED
