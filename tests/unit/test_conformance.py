# SPDX-License-Identifier: BSD-2-Clause
"""How conformance cases are judged, left in a file for each engine, and laid out as a matrix."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from lab.cli import cli
from lab.config import Config
from lab.conformance.faults import Fault, faults_of
from lab.conformance.matrix import is_good, matrix_of, reasons_of, tally
from lab.conformance.outcome import (
    Case,
    Outcome,
    Result,
    cases_in,
    outcome_of,
    read_outcomes,
    read_output,
    write_outcomes,
)
from lab.engine import ENGINES
from lab.errors import LabError

CASE = Case("exit_hlt", "exits")
RUNS = Fault("it is wrong")
ENDS = Fault("it would die", fatal=True)


def outcome(result: Result, name: str = "one", text: str = "ok") -> Outcome:
    return Outcome(name, "exits", result, text)


def test_the_cases_are_found_by_their_macros(tmp_path: Path) -> None:
    (tmp_path / "b.c").write_text("CASE(second)\n{\n}\n/* CASE(no) */\n")
    (tmp_path / "a.c").write_text('TRAP_CASE(first, "nop", "ud2", UD, 0)\nGUEST(code, "hlt");\n')
    assert cases_in(tmp_path) == (Case("first", "a"), Case("second", "b"))


@pytest.mark.parametrize(
    ("said", "fault", "result", "text"),
    [
        ("ok", None, Result.PASSED, "ok"),
        ("ok, 5 signals", None, Result.PASSED, "ok, 5 signals"),
        ("okay", None, Result.FAILED, "okay"),
        ("exits.c:9: RIP", None, Result.FAILED, "exits.c:9: RIP"),
        ("skipped: no XSAVE", None, Result.SKIPPED, "no XSAVE"),
        (None, None, Result.FAILED, "it did not run"),
        (None, ENDS, Result.SKIPPED, "it would die"),
        (None, RUNS, Result.FAILED, "it did not run"),
        ("exits.c:9: RIP", RUNS, Result.XFAIL, "it is wrong (exits.c:9: RIP)"),
        (
            "ok, 5 signals",
            RUNS,
            Result.FAILED,
            "it passes, and is listed as a fault of the engine: it is wrong",
        ),
        ("skipped: no XSAVE", RUNS, Result.SKIPPED, "no XSAVE"),
    ],
)
def test_what_a_case_is_worth(
    said: str | None, fault: Fault | None, result: Result, text: str
) -> None:
    assert outcome_of(CASE, said, fault) == Outcome("exit_hlt", "exits", result, text)


def test_the_output_is_a_line_for_each_case() -> None:
    assert read_output("a: ok\nb: x.c:1: RIP 0x1: no\n") == {"a": "ok", "b": "x.c:1: RIP 0x1: no"}


def test_every_fault_is_of_a_case_that_there_is() -> None:
    sources = Config.from_environment().source / "tests/guest/conformance"
    names = {case.name for case in cases_in(sources)}
    assert len(names) > 100
    for engine in ENGINES:
        assert set(faults_of(engine)) <= names, engine.name


def test_outcomes_go_through_a_file_whole(tmp_path: Path) -> None:
    outcomes = (outcome(Result.PASSED), outcome(Result.XFAIL, "two", "why"))
    assert read_outcomes(tmp_path / "new", "svm-tcg") is None
    write_outcomes(outcomes, tmp_path / "new", "svm-tcg")
    assert read_outcomes(tmp_path / "new", "svm-tcg") == outcomes
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["svm-tcg.json"]


def test_a_cell_counts_what_passed_first() -> None:
    assert tally([]) == "none"
    assert tally([outcome(Result.PASSED)] * 3) == "3"
    assert tally([outcome(Result.SKIPPED), outcome(Result.XFAIL), outcome(Result.PASSED)]) == (
        "1, 1 skipped, 1 xfail"
    )
    assert tally([outcome(Result.FAILED)] * 2) == "0, 2 failed"


def test_the_matrix_has_a_row_for_each_group_and_one_for_all() -> None:
    other = Outcome("three", "fpu", Result.PASSED, "ok")
    table = matrix_of({"a": [outcome(Result.PASSED), other], "b": [outcome(Result.PASSED)]})
    assert [list(column.cells) for column in table.columns] == [
        ["exits", "fpu", "all"],
        ["1", "1", "2"],
        ["1", "none", "1"],
    ]


def test_equal_reasons_are_given_once() -> None:
    skipped = [outcome(Result.SKIPPED, name, "no VGA") for name in ("one", "two")]
    assert reasons_of({"a": [*skipped, outcome(Result.PASSED)], "b": [skipped[0]]}) == [
        "a skipped one, two: no VGA",
        "b skipped one: no VGA",
    ]


def test_only_a_failure_is_bad() -> None:
    fine = [outcome(result) for result in Result if result is not Result.FAILED]
    assert is_good({"a": fine})
    assert not is_good({"a": fine, "b": [outcome(Result.FAILED)]})


def test_the_command_wants_every_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Config, "conformance", tmp_path)
    for engine in ("svm-tcg", "vmx-bochs"):
        write_outcomes([outcome(Result.PASSED)], tmp_path, engine)
    missing = CliRunner().invoke(cli, ["matrix"])
    assert isinstance(missing.exception, LabError)
    assert missing.exception.message == "Conformance has not been run on svm-bochs."
    write_outcomes([outcome(Result.PASSED)], tmp_path, "svm-bochs")
    assert CliRunner().invoke(cli, ["matrix"]).exit_code == 0
    write_outcomes([outcome(Result.FAILED)], tmp_path, "svm-bochs")
    assert CliRunner().invoke(cli, ["matrix"]).exit_code == 1
    assert CliRunner().invoke(cli, ["matrix", "svm-tcg"]).exit_code == 0
