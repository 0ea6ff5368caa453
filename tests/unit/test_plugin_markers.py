# SPDX-License-Identifier: BSD-2-Clause
"""Markers choose cells, skip with a reason, and are checked before anything runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from lab.session.markers import MARKERS

if TYPE_CHECKING:
    from plugin_suite import Suite

pytest_plugins = ["pytester", "plugin_suite"]


@pytest.mark.parametrize(
    ("marker", "cells"),
    [
        ("lab_boot('stock')", ["6.1/svm-tcg/stock", "6.12/svm-tcg/stock"]),
        ("lab_kernel('6.1')", ["6.1/svm-tcg/seed", "6.1/svm-tcg/stock"]),
        ("lab_kernel('6.*', '>=6.6')", ["6.12/svm-tcg/seed", "6.12/svm-tcg/stock"]),
    ],
)
def test_a_marker_narrows_the_matrix(suite: Suite, marker: str, cells: list[str]) -> None:
    result = suite.run(
        f"@pytest.mark.{marker}\ndef test_it(guest): pass",
        *("-v", "--lab-image", "all", "--lab-profile", "seed,stock"),
    )
    assert re.findall(r"test_it\[(\S+)\] PASSED", result.stdout.str()) == cells


def test_a_test_that_fits_no_cell_is_a_skip_that_says_so(suite: Suite) -> None:
    result = suite.run("@pytest.mark.lab_kernel('>=7')\ndef test_it(guest): pass")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED*no cell of this session fits its lab_boot and lab_kernel*"]
    )


NEEDS_VMX = "@pytest.mark.lab_requires('svm', 'vmx')\ndef test_it(guest): pass"


def test_a_missing_capability_is_a_skip_that_says_which(suite: Suite) -> None:
    result = suite.run(NEEDS_VMX)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["SKIPPED*needs vmx; svm-tcg has none*"])


def test_capabilities_that_are_there_do_not_skip(suite: Suite) -> None:
    marker = "@pytest.mark.lab_requires('svm', 'tcg', 'npt')"
    suite.run(f"{marker}\ndef test_it(guest): pass").assert_outcomes(passed=1)


@pytest.mark.parametrize(("required", "fails"), [("svm,vmx", True), ("svm", False)])
def test_lab_require_forbids_to_skip(suite: Suite, required: str, fails: bool) -> None:
    result = suite.run(NEEDS_VMX, "--lab-require", required)
    result.assert_outcomes(**{"errors" if fails else "skipped": 1})
    if fails:
        result.stdout.fnmatch_lines(["*needs vmx*--lab-require vmx forbids to skip that*"])


def test_a_cell_that_is_not_to_be_had_is_a_skip_with_the_probes_reason(suite: Suite) -> None:
    result = suite.run("def test_it(guest): pass", "--lab-engine", "svm-kvm,svm-tcg")
    result.assert_outcomes(skipped=1, passed=1)
    result.stdout.fnmatch_lines(["SKIPPED*svm-kvm is not to be had here: ring 0 runs at 4.5 MIPS"])


@pytest.mark.parametrize("required", ["kvm", "svm-kvm", "svm"])
def test_lab_require_forbids_that_too(suite: Suite, required: str) -> None:
    arguments = ("--lab-engine", "svm-kvm", "--lab-require", required)
    result = suite.run("def test_it(guest): pass", *arguments)
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_lab_fresh_gets_a_new_machine(suite: Suite) -> None:
    suite.run("@pytest.mark.lab_fresh\ndef test_it(module_loaded): pass").assert_outcomes(passed=1)
    assert suite.machines[0] == "fresh 6.1/svm-tcg/seed module_loaded"


@pytest.mark.parametrize(
    ("marker", "says"),
    [("seconds=1.5", "Stress(seconds=1.5, operations=None)"), ("operations=200", "*=None, *=200)")],
)
def test_lab_stress_reaches_the_test(suite: Suite, marker: str, says: str) -> None:
    result = suite.run(
        f"@pytest.mark.lab_stress({marker})\ndef test_it(stress): print(stress.length)", "-s"
    )
    result.stdout.fnmatch_lines([f"*{says}*"])


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("lab_requires('swm')", "no capability named 'swm'; did you mean svm?"),
        ("lab_requires", "takes one name or more"),
        ("lab_boot('sed')", "no boot profile named 'sed'; did you mean seed?"),
        ("lab_kernel('>=six')", "compares with something that is no version"),
        ("lab_kernel(6)", "takes globs and comparisons"),
        ("lab_expect_panic", "takes one regular expression"),
        ("lab_expect_splat('(')", "is no regular expression"),
        ("lab_fresh(1)", "takes no arguments"),
        ("lab_stress(second=1)", "no keyword of lab_stress named 'second'; did you mean seconds?"),
        ("lab_stress(seconds=0)", "takes either seconds=N or operations=N"),
        ("lab_stress(seconds=1, operations=1)", "takes either seconds=N or operations=N"),
        ("lab_profile('seed')", "no marker named 'lab_profile'"),
        ("lab_frehs", "did you mean lab_fresh?"),
    ],
)
def test_a_wrong_marker_is_a_usage_error(suite: Suite, marker: str, says: str) -> None:
    result = suite.run(f"@pytest.mark.{marker}\ndef test_it(guest): pass", "-W", "ignore")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: test_it.py::test_it*: the marker *{says}*"])


def test_strict_pytest_knows_them_all(suite: Suite) -> None:
    result = suite.run("def test_it(): pass", "--strict-markers", "--markers")
    result.stdout.fnmatch_lines([f"@pytest.mark.{marker.usage}: *" for marker in MARKERS])
