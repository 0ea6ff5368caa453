# SPDX-License-Identifier: BSD-2-Clause
"""Every option works three ways, and what it cannot mean is refused with a suggestion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lab.engine import SVM_TCG, VMX_KVM
from lab.options import OPTIONS, markdown_table
from lab.report.directory import Session

if TYPE_CHECKING:
    from plugin_suite import Suite

pytest_plugins = ["pytester", "plugin_suite"]

SHOW = "from lab.options import option\ndef test_it(request): print(option(request.config, {!r}))"
VALUES = {
    "engine": ["svm-tcg", "svm-kvm", "vmx-kvm"],
    "image": ["debian-12", "debian-13", "all"],
    "kernel": ["6.1", "6.*", ">=6"],
    "profile": ["seed", "stock", "all"],
    "cpus": ["1", "3", "4"],
    "require": ["svm", "vmx", "npt"],
    "seed": ["1", "2", "3"],
    "steps": ["1", "2,3", "4"],
    "record": ["a", "b", "c"],
    "keep": ["all", "failed", "all"],
    "cycles": ["2", "3", "4"],
    "creations": ["1000", "2000", "10000"],
    "processes": ["2", "32", "64"],
    "rounds": ["2", "3", "40"],
    "snapshots": ["1000", "2000", "10000"],
    "interleavings": ["2", "4", "16"],
    "seconds": ["10", "20", "120"],
    "timeout-factor": ["0.5", "2", "3"],
}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_strongest_source_wins(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, option: object
) -> None:
    assert option in OPTIONS
    (found,) = [candidate for candidate in OPTIONS if candidate is option]
    ini, environment, line = VALUES[found.name]
    pytester = suite.pytester
    pytester.makepyfile(SHOW.format(found.name))

    def shown(*arguments: str) -> str:
        result = pytester.runpytest("-s", "-q", "--no-header", *arguments)
        result.assert_outcomes(passed=1)
        return result.outlines[0].rstrip(".")

    assert shown() == found.default
    pytester.makeini(f"[pytest]\n{found.ini} = {ini}\n")
    assert shown() == ini
    monkeypatch.setenv(found.environment, environment)
    assert shown() == environment
    assert shown(found.flag, line) == line


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--lab-engine", "swm-tcg"], "no engine named 'swm-tcg'; did you mean svm-tcg?"),
        (["--lab-image", "debian12"], "no image named 'debian12'; did you mean debian-12?"),
        (["--lab-profile", "stok"], "no boot profile named 'stok'; did you mean stock?"),
        (["--lab-kernel", "5.*"], "fits no image: there is 6.1.0-56-amd64 in debian-12, 6.12*"),
        (["--lab-kernel", ">=six"], "compares with something that is no version"),
        (["--lab-cpus", "0"], "--lab-cpus takes a whole number from 1, not '0'"),
        (["--lab-cpus", "two"], "--lab-cpus takes a whole number from 1, not 'two'"),
        (["--lab-seed", "-1"], "--lab-seed takes a whole number from 0"),
        (["--lab-steps", "3,x"], "--lab-steps takes whole numbers, not '3 x'"),
        (["--lab-keep", "none"], "--lab-keep takes one of failed, all"),
        (["--lab-timeout-factor", "0"], "--lab-timeout-factor takes a positive number"),
        (["--lab-timeout-factor", "inf"], "--lab-timeout-factor takes a positive number"),
        (["--lab-require", "vmxx"], "There is no capability named 'vmxx'*vmx?"),
    ],
)
def test_a_wrong_value_is_refused_before_anything_runs(
    suite: Suite, arguments: list[str], says: str
) -> None:
    result = suite.run("def test_it(guest): pass", *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *{says}*"])


def test_without_an_option_the_engine_is_the_best_that_was_seen_to_boot(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Probe:
        def __init__(self, engine: object, *, usable: bool) -> None:
            self.engine = engine
            self.usable = usable

    def shown(probes: list[Probe] | None) -> str:
        monkeypatch.setattr("lab.session.matrix.recall", lambda _config: probes)
        suite.pytester.makepyfile("def test_it(guest): pass")
        return suite.pytester.runpytest("-v", "--lab-profile", "seed").stdout.str()

    both = [Probe(SVM_TCG, usable=True), Probe(VMX_KVM, usable=True)]
    one = [Probe(SVM_TCG, usable=True), Probe(VMX_KVM, usable=False)]
    assert "[6.1/vmx-kvm/seed] PASSED" in shown(both)
    assert "[6.1/svm-tcg/seed] PASSED" in shown(one)
    assert "[6.1/best/seed] PASSED" in shown(None)


def test_the_line_that_runs_a_test_again_finds_it_when_the_best_is_known_by_then(
    suite: Suite,
) -> None:
    arguments = ("--lab-engine", "best", "--lab-profile", "seed")
    suite.pytester.makepyfile("def test_it(guest): assert 0")
    result = suite.pytester.runpytest(*arguments)
    result.stdout.fnmatch_lines(["*again: pytest '*6.1/best/seed?' *--lab-engine best *"])


def test_the_record_is_where_it_was_wanted_without_a_machine_too(suite: Suite) -> None:
    result = suite.run("def test_plain(): pass\ndef test_bad(): assert 0", "--lab-record", "a/b")
    result.stdout.fnmatch_lines(["report: file://*a/b/report.html"])
    session = Session(suite.pytester.path / "a/b")
    assert [entry.outcome for entry in session.entries()] == ["passed", "failed"]
    assert session.facts["seed"] == 5
    assert session.junit.exists()


def test_a_record_is_not_written_over(suite: Suite) -> None:
    suite.run("def test_plain(): pass", "--lab-record", "a")
    before = (suite.pytester.path / "a/results.jsonl").read_text()
    again = suite.run("def test_plain(): pass", "--lab-record", "a")
    assert again.ret == pytest.ExitCode.USAGE_ERROR
    again.stderr.fnmatch_lines(["ERROR: *a has the record of a session already"])
    assert (suite.pytester.path / "a/results.jsonl").read_text() == before


def test_the_table_has_every_option_once() -> None:
    lines = markdown_table().splitlines()
    assert len(lines) == 2 + len(OPTIONS)
    assert lines[2].startswith("| `--lab-engine`, `lab_engine`, `DBOS_LAB_ENGINE` |  | engines")
    assert all(line.count("|") == 4 for line in lines)
    assert any("`--lab-timeout-factor`, `lab_timeout_factor`, `DBOS_LAB_T" in x for x in lines)
