# SPDX-License-Identifier: BSD-2-Clause
"""A session is written down as it goes, and shown afterwards, however it ended."""

from __future__ import annotations

import html
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError
from lab.report.directory import KEPT, Session, create_session, find_session
from lab.report.entry import Entry
from lab.report.junit import write_junit
from lab.report.page import render, timeline
from lab.report.recorder import Recorder, finish
from lab.report.replay import chosen, differences, replay

pytest_plugins = ["pytester"]

TESTS = """
import os, pytest

def test_good(): pass

def test_bad(record_property):
    record_property("verdict", "splat")
    record_property("title", "WARNING in x")
    record_property("cell", "6.1/svm-tcg/seed")
    record_property("again", "pytest it --lab-seed 3")
    assert 1 == 2

def test_skipped(): pytest.skip("no such engine")

@pytest.mark.xfail(reason="known")
def test_known(): assert 0

@pytest.fixture
def broken(): raise RuntimeError("no machine")

def test_error(broken): pass
"""


def run(pytester: pytest.Pytester, tests: str) -> Session | None:
    pytester.makepyfile(tests)
    sessions = pytester.path / "sessions"
    recorder = Recorder(sessions, lambda: {"seed": 3, "host": {"cores": 2}, "cells": ["a"]})
    pytester.inline_run("-p", "no:dbos_lab", "-p", "no:cacheprovider", plugins=[recorder])
    return find_session(sessions, None) if sessions.exists() else None


def test_every_test_has_one_line(pytester: pytest.Pytester) -> None:
    session = run(pytester, TESTS)
    assert session is not None
    entries = {entry.test.partition("::")[2]: entry for entry in session.entries()}
    assert {name: entry.outcome for name, entry in entries.items()} == {
        "test_good": "passed",
        "test_bad": "failed",
        "test_skipped": "skipped",
        "test_known": "skipped",
        "test_error": "error",
    }
    bad = entries["test_bad"]
    assert (bad.verdict, bad.title, bad.cell) == ("splat", "WARNING in x", "6.1/svm-tcg/seed")
    assert bad.again == "pytest it --lab-seed 3"
    assert "assert 1 == 2" in bad.texts["failure"]
    assert entries["test_skipped"].reason == "no such engine"
    assert entries["test_known"].reason == "known"
    assert "no machine" in entries["test_error"].texts["failure in setup"]
    assert all(entry.seconds >= 0 and entry.start > 1e9 for entry in entries.values())


def test_page_and_junit_say_the_same(pytester: pytest.Pytester) -> None:
    session = run(pytester, TESTS)
    assert session is not None
    page = session.page.read_text()
    for text in ("splat", "WARNING in x", "pytest it --lab-seed 3", "no such engine", "cores 2"):
        assert text in page
    assert "http://" not in page
    assert "https://" not in page
    suite = ElementTree.parse(session.junit).getroot().find("testsuite")
    assert suite is not None
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counts == ["5", "1", "1", "2"]
    (bad,) = (case for case in suite if case.get("name") == "test_bad")
    properties = {found.get("name"): found.get("value") for found in bad.iter("property")}
    assert properties["verdict"] == "splat"


def test_without_a_machine_no_directory(pytester: pytest.Pytester) -> None:
    assert run(pytester, "def test_plain(): pass") is None


def test_a_killed_session_can_still_be_shown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        "import os\ndef test_first(record_property): record_property('cell', 'c')\n"
        "def test_second(): os.kill(os.getpid(), 9)\n"
    )
    pytester.makeconftest(
        "from pathlib import Path\n"
        "from lab.report.recorder import Recorder\n"
        "def pytest_configure(config):\n"
        "    config.pluginmanager.register(Recorder(Path('sessions'), dict))\n"
    )
    killed = pytester.runpytest_subprocess("-p", "no:dbos_lab")
    assert killed.ret == -9
    session = find_session(pytester.path / "sessions", None)
    finish(session)
    assert [entry.test for entry in session.entries()] == [
        "test_a_killed_session_can_still_be_shown.py::test_first"
    ]
    assert session.page.exists()
    assert session.junit.exists()


def entry(**facts: object) -> Entry:
    plain: dict[str, object] = {"test": "t", "outcome": "passed", "start": 0.0, "seconds": 1.0}
    return Entry(**{**plain, **facts})  # type: ignore[arg-type]


@given(st.text(), st.text())
def test_any_text_survives(title: str, text: str) -> None:
    before = entry(outcome="failed", title=title, texts={"failure": text})
    assert Entry.from_line(before.to_line()) == before
    assert len(before.to_line().splitlines()) >= 1
    page = render({}, [before])
    assert html.escape(title, quote=False).partition("'")[0] in page.replace("&#34;", '"')


def test_the_console_may_hold_anything(tmp_path: Path) -> None:
    wild = "".join(map(chr, range(0x20))) + "\ufffe\uffff<&>"
    write_junit([entry(outcome="failed", texts={"console": wild})], tmp_path / "junit.xml")
    ElementTree.parse(tmp_path / "junit.xml")
    assert "<&>" not in render({}, [entry(outcome="failed", texts={"console": wild})])


def test_a_line_cut_off_is_left_out(tmp_path: Path) -> None:
    session = Session(tmp_path)
    whole = entry(test="whole").to_line()
    session.results.write_text(whole + whole[: len(whole) // 2])
    assert [found.test for found in session.entries()] == ["whole"]


def test_five_hundred_failures_make_a_page_of_two_megabytes() -> None:
    texts = {"failure": "x" * 8000, "guest console": "y" * 8000}
    many = [
        entry(test=f"a_suite.py::test_{n}[c]", cell="c", outcome="failed", texts=texts, start=n)
        for n in range(500)
    ]
    assert len(render({}, many)) < 2_000_000


def test_the_timeline_has_a_lane_per_worker() -> None:
    first, second = timeline([entry(start=5.0), entry(start=6.0, seconds=3.0, worker="gw1")])
    assert (first.lane, first.left, first.width) == (0, 0.0, 250.0)
    assert (second.lane, second.left, second.width) == (1, 250.0, 750.0)
    assert timeline([]) == []


def test_rows_are_named_without_the_cell() -> None:
    cell = "6.1/svm-tcg/seed"
    assert entry(test=f"s.py::test_a[{cell}]", cell=cell).name == "s.py::test_a"
    assert entry(test=f"s.py::test_a[{cell}-8-4]", cell=cell).name == "s.py::test_a[8-4]"
    assert entry(test=f"s.py::test_a[kvm-{cell}]", cell=cell).name == "s.py::test_a[kvm]"
    assert entry(test=f"s.py::test_a[kvm-{cell}-8]", cell=cell).name == "s.py::test_a[kvm-8]"


def test_sessions_are_found_by_their_beginning_and_do_not_pile_up(tmp_path: Path) -> None:
    made = [create_session(tmp_path, {"n": n}) for n in range(KEPT + 3)]
    left = sorted(path for path in tmp_path.iterdir())
    assert len(left) == KEPT
    assert find_session(tmp_path, str(made[-1].path)).facts == {"n": KEPT + 2}
    name = left[0].name
    assert find_session(tmp_path, name).path == left[0]
    with pytest.raises(LabError, match="no session named 'nonsense'"):
        find_session(tmp_path, "nonsense")
    with pytest.raises(LabError, match="no session below"):
        find_session(tmp_path / "empty", None)
    assert json.loads((left[-1] / "session.json").read_text())["n"] >= 3


def test_what_was_not_good_is_replayed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "test_x.py").write_text("def test_a(): pass\ndef test_b(): assert 0\n")
    ran = [
        entry(test="test_x.py::test_a"),
        entry(test="test_x.py::test_b", outcome="failed", again="pytest test_x.py::test_b -q"),
    ]
    assert chosen(ran, None) == (ran[1],)
    assert chosen(ran, "test_a") == (ran[0],)
    with pytest.raises(LabError, match="'test_c' in its id"):
        chosen(ran, "test_c")
    with pytest.raises(LabError, match="is not good"):
        chosen(ran[:1], None)
    assert replay(ran[:1], tmp_path) == 0
    assert replay(ran, tmp_path) == 1
    assert "$ pytest test_x.py::test_b -q" in capfd.readouterr().out


def test_what_has_changed_is_told() -> None:
    then = {"git": "a", "images": {"debian-12": "1", "debian-13": ""}}
    assert differences(then, then) == ()
    now = {"git": "b", "images": {"debian-12": "2", "debian-13": ""}}
    assert differences(then, now) == (
        "the tree was a, it is b",
        "the image debian-12 was 1, it is 2",
    )
