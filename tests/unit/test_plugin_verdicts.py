# SPDX-License-Identifier: BSD-2-Clause
"""Exactly one verdict for each test, and what pytest, JUnit and the machine get of it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plugin_suite import Suite

pytest_plugins = ["pytester", "plugin_suite"]

# Body of the test, verdict, title, outcome, whether the machine is given to the next test.
CASES = {
    "passed": ("pass", "", "passed", True),
    "failed": ("assert 1 == 2", "assert 1 == 2", "failed", True),
    "splat": ("guest.warn()", "WARNING in dune_probe", "failed", False),
    "splat, and failed": ("guest.warn(); assert 0", "WARNING in dune_probe", "failed", False),
    "splat, taint alone": ("guest.taint |= 1 << 9", "the kernel warned*", "failed", False),
    "panicked": ("guest.panic()", "*sysrq triggered crash*", "failed", False),
    "panicked, seen": ("guest.panic(); guest.run('x')", "*sysrq triggered*", "failed", False),
    "hung": ("guest.hangs = True", "*answers no more", "failed", False),
    "hung, deadline": ("late(guest)", "*did not end within 3 s*", "failed", False),
    "hung, examined": ("guest.hang()", "*gave no sign of life: no processor*", "failed", False),
    "lost, reset": ("guest.end('RESET')", "*rebooted*", "failed", False),
    "lost, off": ("guest.end('SHUTDOWN')", "*powered itself off*", "failed", False),
    "lost, killed": ("guest.machine.running = False", "the emulator ended*", "failed", False),
    "infra": ("no_compiler()", "gcc crashed.", "errors", False),
}

HELPERS = """
from lab.command import CommandTimeoutError, Outcome, Result
from lab.deadline import Deadline
from lab.errors import Status, die

def late(guest):
    deadline = Deadline.after(3.0, "the command")
    raise CommandTimeoutError(Result("x", -1, b"", b"", 3.0), deadline, Outcome("it was killed"))

def no_compiler():
    die("gcc crashed.", "install another", status=Status.BUILD)
"""


@pytest.mark.parametrize("case", CASES)
def test_each_verdict_has_its_outcome(suite: Suite, case: str) -> None:
    body, title, outcome, usable = CASES[case]
    verdict = case.partition(",")[0]
    result = suite.run(f"{HELPERS}\ndef test_it(guest): {body}\n")
    result.assert_outcomes(**{outcome: 1})
    result.stdout.fnmatch_lines([f"1 {verdict}"])
    if verdict != "passed":
        result.stdout.fnmatch_lines([f"{verdict} *::test_it?6.1/svm-tcg/seed?: {title} ?/*?"])
    assert ("discard" not in suite.machines) == usable
    kept = [line for line in suite.machines if line.startswith("keep")]
    assert len(kept) == (verdict != "passed")


def test_a_splat_fails_a_green_test_with_what_the_kernel_said(suite: Suite) -> None:
    result = suite.run("def test_it(guest): guest.warn()", "-rf")
    result.stdout.fnmatch_lines(
        [
            "splat: WARNING in dune_probe",
            "*cut here*",
            "WARNING: CPU: 1 PID: 99 at kern/core.c:42 dune_probe+0x1a/0x30 ?dune?",
            "FAILED *test_it* - Ruled: splat: WARNING in dune_*",
        ]
    )


def test_what_was_there_before_the_test_is_not_its_own(suite: Suite) -> None:
    result = suite.run(
        """
import fake_lab
@pytest.fixture(autouse=True)
def dirty(monkeypatch):
    init = fake_lab.FakeGuest.__init__
    def warned(self, machine):
        init(self, machine)
        self.warn()
        self.say(fake_lab.WARNING)
    monkeypatch.setattr(fake_lab.FakeGuest, "__init__", warned)
def test_it(guest): pass
"""
    )
    result.assert_outcomes(passed=1)


def test_a_saved_state_is_asked_once_what_was_there_before(suite: Suite) -> None:
    result = suite.run(
        """
import fake_lab
asked = []
shared = {}
@pytest.fixture(autouse=True)
def restored(monkeypatch):
    clean, run = fake_lab.FakeKeeper.clean, fake_lab.FakeGuest.run
    def saved(self, cell, state, preparation):
        booted = clean(self, cell, state, preparation)
        booted.guest.state = "token"
        return fake_lab.FakeBooted(booted.machine, booted.guest, shared)
    def counted(self, command, **rest):
        asked.append(command)
        return run(self, command, **rest)
    monkeypatch.setattr(fake_lab.FakeKeeper, "clean", saved)
    monkeypatch.setattr(fake_lab.FakeGuest, "run", counted)
def test_first(guest): assert len(asked) == 1
def test_second(guest): assert len(asked) == 2
def test_splat(guest): guest.warn()
"""
    )
    result.assert_outcomes(passed=2, failed=1)


def test_a_fixture_that_splats_on_its_way_out_is_caught(suite: Suite) -> None:
    result = suite.run(
        """
@pytest.fixture
def careless(guest):
    yield
    guest.warn()
def test_it(careless): pass
""",
        "--junitxml=junit.xml",
    )
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["splat *test_it*WARNING in dune_probe*", "1 splat"])
    assert properties(suite)["verdict"] == "splat"
    assert suite.machines[-2:] == ["discard", "close"]


def test_a_fixture_that_fails_gives_the_test_its_verdict(suite: Suite) -> None:
    result = suite.run(
        """
@pytest.fixture
def fatal(guest): guest.panic(); guest.run("x")
def test_it(fatal): pass
"""
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["panicked *test_it*sysrq triggered crash*", "1 panicked"])


@pytest.mark.parametrize(
    ("marker", "body", "verdict"),
    [
        ("lab_expect_panic('sysrq')", "guest.panic()", "passed"),
        ("lab_expect_panic('sysrq')", "guest.panic(); guest.run('x')", "passed"),
        ("lab_expect_panic('sysrq')", "pass", "failed"),
        ("lab_expect_panic('sysrq')", "guest.panic(); assert 0", "failed"),
        ("lab_expect_panic('not this')", "guest.panic()", "panicked"),
        ("lab_expect_panic('sysrq')", "guest.warn()", "splat"),
        ("lab_expect_splat('in dune_')", "guest.warn()", "passed"),
        ("lab_expect_splat('in dune_')", "pass", "failed"),
        ("lab_expect_splat('in dune_')", "guest.warn(); assert 0", "failed"),
        ("lab_expect_splat('in other')", "guest.warn()", "splat"),
        ("lab_expect_splat('in dune_')", "guest.warn(); guest.panic()", "panicked"),
    ],
)
def test_what_is_expected_passes(suite: Suite, marker: str, body: str, verdict: str) -> None:
    result = suite.run(f"@pytest.mark.{marker}\ndef test_it(guest): {body}")
    result.assert_outcomes(**{"passed" if verdict == "passed" else "failed": 1})
    result.stdout.fnmatch_lines([f"1 {verdict}"])
    # Neither a panic nor a complaint leaves a machine that can be used, expected or not.
    assert ("discard" in suite.machines) == (body not in ("pass",))


def test_a_skip_in_the_body_is_no_verdict_but_hides_no_splat(suite: Suite) -> None:
    result = suite.run(
        """
def test_skip(guest): pytest.skip("not today")
def test_splat(guest): guest.warn(); pytest.skip("not today")
@pytest.mark.xfail
def test_xfail(guest): assert 0
"""
    )
    result.assert_outcomes(skipped=1, failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["splat *test_splat*", "1 failed, 1 splat"])


def properties(suite: Suite) -> dict[str, str]:
    (case,) = ET.parse(suite.pytester.path / "junit.xml").iter("testcase")
    found = [(entry.attrib["name"], entry.attrib["value"]) for entry in case.iter("property")]
    assert len(dict(found)) == len(found), "each is there once"
    return dict(found)


def test_junit_has_it_all(suite: Suite) -> None:
    suite.run("def test_it(guest): guest.warn(); assert 0", "--junitxml=junit.xml")
    told = properties(suite)
    assert (told["verdict"], told["title"]) == ("splat", "WARNING in dune_probe")
    assert told["also"] == "failed: assert 0"
    assert told["cell"] == "6.1/svm-tcg/seed"
    assert float(told["seconds"]) > 0
    directory = Path(told["artefacts"])
    assert directory.is_relative_to(told["machine"])
    assert "dune_probe" in (directory / "kernel.log").read_text()
    assert (directory / "console").exists()


def test_the_line_at_the_end_runs_the_test_again(suite: Suite) -> None:
    result = suite.run("@pytest.mark.parametrize('x', ['a b'])\ndef test_it(guest, x): assert 0")
    result.stdout.fnmatch_lines(
        [
            " *again: pytest 'test_it.py::test_it?6.1/svm-tcg/seed-a b?' --lab-image debian-12 "
            "--lab-engine svm-tcg --lab-profile seed --lab-cpus 2 --lab-seed 5"
        ]
    )


def test_nothing_is_said_where_nothing_was_judged(suite: Suite) -> None:
    result = suite.run("def test_it(): pass")
    result.stdout.no_fnmatch_line("*passed")


def test_lab_keep_all_keeps_what_passed(suite: Suite) -> None:
    suite.run("def test_it(guest): pass", "--lab-keep", "all").assert_outcomes(passed=1)
    assert "keep --lab-keep all" in suite.machines


def test_an_interrupted_run_ends_its_machines_and_judges_nothing(suite: Suite) -> None:
    result = suite.run(
        "def test_a(guest): pass\ndef test_b(guest): raise KeyboardInterrupt\ndef test_c(guest): 0"
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["1 passed"])
    assert suite.machines[-2:] == ["discard", "close"]
    assert len(suite.machines) == 4
