# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError, Status
from lab.profile import Profile, load_profile, parse_profile, violations

SOURCE = Path(__file__).parents[2]

WORD = st.from_regex(r"[a-z][a-z0-9._-]{0,6}(=[a-z0-9,]{0,4})?", fullmatch=True).filter(
    lambda word: word != "--"
)
NAME = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True)


def profile(
    base: tuple[str, ...] = (), required: tuple[str, ...] = (), forbidden: tuple[str, ...] = ()
) -> Profile:
    return Profile("p", "for a test", base, required, forbidden)


def test_the_two_profiles_of_the_tree() -> None:
    seed, stock = load_profile(SOURCE, "seed"), load_profile(SOURCE, "stock")
    assert seed.required == ("nokaslr", "nox2apic")
    assert stock.required == ()
    assert set(stock.forbidden) == {"nokaslr", "nox2apic"}
    assert "console=ttyS0" in seed.arguments
    assert "panic=-1" in stock.arguments


def test_a_boot_of_one_is_no_boot_of_the_other() -> None:
    seed, stock = load_profile(SOURCE, "seed"), load_profile(SOURCE, "stock")
    assert violations(seed, " ".join(stock.arguments)) == (
        "nokaslr is required and absent",
        "nox2apic is required and absent",
    )
    assert violations(stock, " ".join(seed.arguments)) == (
        "nokaslr is forbidden and present",
        "nox2apic is forbidden and present",
    )


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(LabError) as caught:
        load_profile(SOURCE, "sede")
    assert caught.value.status is Status.USAGE
    assert "did you mean seed?" in caught.value.message


@given(st.lists(WORD, max_size=6), st.lists(WORD, max_size=6))
def test_a_command_line_with_all_that_is_required_and_more_is_good(
    required: list[str], more: list[str]
) -> None:
    cmdline = " ".join(more + required)
    assert violations(profile(required=tuple(required)), cmdline) == ()


@given(st.lists(NAME, min_size=1, max_size=6, unique=True), st.data())
def test_each_missing_argument_is_named(required: list[str], data: st.DataObject) -> None:
    absent = data.draw(st.sets(st.sampled_from(required)))
    cmdline = " ".join(word for word in required if word not in absent)
    found = violations(profile(required=tuple(required)), cmdline)
    assert {line.split()[0] for line in found} == absent


@given(NAME, st.from_regex(r"(=[a-z0-9]{0,4})?", fullmatch=True), st.lists(NAME, max_size=4))
def test_a_forbidden_name_forbids_every_value(name: str, value: str, others: list[str]) -> None:
    contract = profile(forbidden=(name,))
    assert violations(contract, " ".join([*others, name + value]))
    rest = [other for other in others if other != name]
    assert violations(contract, " ".join(rest)) == ()


def test_a_forbidden_value_forbids_only_that() -> None:
    contract = profile(forbidden=("pti=off",))
    assert violations(contract, "pti=on") == ()
    assert violations(contract, "pti=off") == ("pti=off is forbidden and present",)


@pytest.mark.parametrize(
    ("cmdline", "seen"),
    [
        ("nokaslr", True),
        ("xnokaslr", False),
        ("nokaslrx", False),
        ('a="b nokaslr c"', False),
        ("quiet -- nokaslr", False),
        ("\tnokaslr\n", True),
        ("", False),
    ],
)
def test_words_are_cut_as_the_kernel_cuts_them(cmdline: str, seen: bool) -> None:
    assert bool(violations(profile(forbidden=("nokaslr",)), cmdline)) is seen


def test_dash_and_underscore_are_one_in_names_but_not_in_values() -> None:
    assert violations(profile(required=("rd-x=a",)), "rd_x=a") == ()
    assert violations(profile(required=("x=a-b",)), "x=a_b")


GOOD: dict[str, object] = {"about": "a", "required": [], "forbidden": []}


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {"base": []},
        {"base": [], "profiles": []},
        {"base": "quiet", "profiles": {"p": GOOD}},
        {"base": [1], "profiles": {"p": GOOD}},
        {"base": ["two words"], "profiles": {"p": GOOD}},
        {"base": [], "profiles": {"p": {"about": "a"}}},
        {"base": [], "profiles": {"p": GOOD}, "extra": 1},
        {"base": ["x"], "profiles": {"p": {**GOOD, "forbidden": ["x"]}}},
    ],
)
def test_a_malformed_document_is_refused(document: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_profile(document, "p")


@pytest.mark.parametrize("text", ["{", "base: 3", "\x00"])
def test_a_malformed_file_is_one_clear_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "profiles.yaml").write_text(text)
    with pytest.raises(LabError) as caught:
        load_profile(tmp_path, "seed")
    assert caught.value.status is Status.USAGE


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        load_profile(tmp_path, "seed")
    assert caught.value.status is Status.USAGE
