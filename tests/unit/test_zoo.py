# SPDX-License-Identifier: BSD-2-Clause
"""The fault zoo's table, what the capture keeps of a log, and the corpus it has made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from lab.errors import LabError, Status
from lab.verdict.verdict import Verdict
from lab.zoo.capture import MOST, chosen, trimmed, write
from lab.zoo.faults import FAULTS, Fault
from lab.zoo.ordinary import ORDINARY
from lab.zoo.table import Row, table_of

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden"
FACTS: dict[str, object] = {
    "fault": "warn",
    "kernel": "6.1.0-1-amd64",
    "profile": "seed",
    "engine": "svm-tcg",
    "splat": True,
}
LINES = b"[    1.000000] nothing\n" * (MOST // 23 + 100)
WARNING = b"[    1.000000] WARNING: CPU: 0 PID: 1 at a.c:1 there+0x1/0x2\n"


def index() -> list[dict[str, object]]:
    entries: list[dict[str, object]] = yaml.safe_load((GOLDEN / "index.yaml").read_text())
    return entries


def test_the_table_knows_every_fault_of_the_module_and_no_other() -> None:
    sources = (ROOT / "tests/zoo/module").glob("*.c")
    in_module = [
        name
        for path in sources
        for name in re.findall(r"^\tZOO_FAULT\((\w+)\)", path.read_text(), re.M)
    ]
    asked_for = {name for f in FAULTS for name in re.findall(r"echo (\w+) >/dev/zoo", f.script)}
    assert sorted(in_module) == sorted(asked_for)


def test_names_are_unique() -> None:
    names = [subject.name for subject in (*FAULTS, *ORDINARY)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: str(fault.name))
def test_only_a_fault_without_complaint_passes_or_fails_by_itself(fault: Fault) -> None:
    complains = fault.verdict in (Verdict.SPLAT, Verdict.PANICKED) or not fault.silent
    assert complains is not fault.silent
    assert bool(fault.title) is (fault.verdict is not Verdict.PASSED)
    re.compile(fault.title)


def test_every_verdict_but_infra_is_asked_for() -> None:
    assert {fault.verdict for fault in FAULTS} == set(Verdict) - {Verdict.INFRA}


def test_choosing_leaves_out_what_the_kernel_cannot_show() -> None:
    assert [s.name for s in chosen(["warn", "kfence_double_free"], "6.1.0-1-amd64")] == ["warn"]
    assert len(chosen([], "6.12.1")) == len(FAULTS) + len(ORDINARY)
    with pytest.raises(LabError) as unknown:
        chosen(["wran"], "6.1")
    assert unknown.value.status is Status.USAGE


def test_a_long_log_loses_whole_lines_of_its_middle() -> None:
    log = b"first\n" + LINES + b"last\n"
    kept = trimmed(log)
    assert MOST - 100 < len(kept) <= MOST
    assert kept.startswith(b"first\n")
    assert kept.endswith(b"\nlast\n")
    assert set(kept.split(b"\n")) <= set(log.split(b"\n"))
    assert trimmed(log[:MOST]) == log[:MOST]


def test_logs_are_written_and_indexed(tmp_path: Path) -> None:
    write(tmp_path, FACTS, {"console": WARNING, "kmsg": b""})
    log = "splat/warn-6.1-seed-svm-tcg.console.log"
    assert (tmp_path / log).read_bytes() == WARNING
    (entry,) = yaml.safe_load((tmp_path / "index.yaml").read_text())
    assert entry == {
        **{key: value for key, value in FACTS.items() if key != "splat"},
        **{"log": log, "source": "console", "titles": ["WARNING in there"]},
    }


def test_titles_that_were_read_and_the_comment_above_stay(tmp_path: Path) -> None:
    write(tmp_path, FACTS, {"console": WARNING})
    path = tmp_path / "index.yaml"
    path.write_text("# why\n" + path.read_text().replace("WARNING in there", "as read"))
    said = write(tmp_path, FACTS, {"console": WARNING})
    assert path.read_text().startswith("# why\n")
    (entry,) = yaml.safe_load(path.read_text())
    assert entry["titles"] == ["as read"]
    assert "not ['as read']" in said[0]


def test_the_corpus_is_large_and_varied_enough() -> None:
    for place, least in (("splat", 60), ("clean", 20)):
        logs = [entry for entry in index() if str(entry["log"]).startswith(place)]
        assert len(logs) >= least
        assert {str(entry["kernel"])[:4] for entry in logs} >= {"6.1.", "6.12"}
        assert {entry["source"] for entry in logs} == {"console", "kmsg"}
        assert {entry["profile"] for entry in logs} == {"seed", "stock"}


def test_a_wrong_verdict_is_told_in_the_table() -> None:
    row = Row("warn", "6.1/svm-tcg/seed", "splat", "passed", "", 1.0, "")
    assert Row.from_text(row.to_text()) == row
    table = table_of([row])
    assert list(table.columns[2].cells) == ["passed, not splat"]
