# SPDX-License-Identifier: BSD-2-Clause
"""What a CI's page shows of sessions, and what it is given to keep."""

from __future__ import annotations

import tarfile
from pathlib import Path

from click.testing import CliRunner

from lab.cli import cli
from lab.config import Config
from lab.report.brief import MOST, NOTHING, brief
from lab.report.directory import Session, create_session
from lab.report.entry import Entry
from lab.report.kept import pack


def session(folder: Path, *entries: Entry, command: str = "pytest lab") -> Session:
    made = create_session(folder, {"command": command})
    made.results.write_text("".join(entry.to_line() for entry in entries))
    return made


def entry(test: str, verdict: str = "passed", title: str = "", again: str = "") -> Entry:
    outcome = "passed" if verdict == "passed" else "failed"
    cell = "6.1.0/svm-tcg/seed"
    return Entry(test, outcome, 1.0, 2.0, verdict=verdict, title=title, cell=cell, again=again)


def test_a_session_is_a_line_and_what_was_not_good_another(tmp_path: Path) -> None:
    bad = entry("t.py::bad", "splat", title="BUG: a|b <x>\nmore", again="pytest t.py::bad")
    made = session(tmp_path, entry("t.py::good"), entry("t.py::also"), bad)
    assert brief([made]).splitlines() == [
        "| session | on | tests | seconds |",
        "|---|---|---|---|",
        "| `pytest lab` | 6.1.0/svm-tcg | 2 passed, 1 splat | 6 |",
        "",
        "| test | verdict | why | again |",
        "|---|---|---|---|",
        r"| `t.py::bad` | splat | BUG: a\|b &lt;x> more | `pytest t.py::bad` |",
    ]


def test_a_good_session_has_no_second_table_and_a_bad_one_an_end(tmp_path: Path) -> None:
    assert len(brief([session(tmp_path, entry("t.py::good"))]).splitlines()) == 3
    bad = [entry(f"t.py::bad[{number}]", "hung") for number in range(MOST + 2)]
    assert brief([session(tmp_path, *bad)]).splitlines()[-1] == "And 2 more."


def test_the_command_tells_of_all_sessions_or_of_one_or_of_none(tmp_path: Path) -> None:
    environment = {"DBOS_LAB_CACHE": str(tmp_path)}

    def told(*arguments: str) -> str:
        done = CliRunner(env=environment).invoke(cli, ["report", "--summary", *arguments])
        assert done.exit_code == 0, done.output
        return done.output

    assert told() == NOTHING
    first = session(tmp_path / "sessions", entry("t.py::a"), command="pytest one")
    session(tmp_path / "sessions", entry("t.py::a"), command="pytest two")
    assert told().index("pytest one") < told().index("pytest two")
    assert "pytest two" not in told(first.path.name)


def test_the_archive_has_sessions_and_machines(tmp_path: Path) -> None:
    config = Config(tmp_path, tmp_path / "cache", tmp_path / "elsewhere")
    made = session(config.sessions, entry("t.py::a"))
    (config.runs / "m-1").mkdir(parents=True)
    (config.runs / "m-1/console: 1").write_text("hello")
    assert pack(config, tmp_path / "build/kept.tar.gz") == 2
    with tarfile.open(tmp_path / "build/kept.tar.gz") as file:
        names = file.getnames()
    assert f"sessions/{made.path.name}/results.jsonl" in names
    assert "runs/m-1/console: 1" in names


def test_without_any_the_archive_is_empty(tmp_path: Path) -> None:
    assert pack(Config(tmp_path, tmp_path / "c", tmp_path / "r"), tmp_path / "kept.tar.gz") == 0
