# SPDX-License-Identifier: BSD-2-Clause
"""A campaign's results: at most one for each cell, however often and by whomever it is run."""

from __future__ import annotations

import fcntl
import json
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.campaign import attempt as attempt_module
from lab.campaign.attempt import attempt, carried, judge
from lab.campaign.conduct import Lost, Tally, conduct, tally
from lab.campaign.definition import Campaign, CampaignCell
from lab.campaign.record import CellRecord, Outcome
from lab.campaign.results import Results
from lab.errors import LabError, Status
from lab.machine.provenance import tree_state
from lab.report.entry import Entry

ROOT = Path(__file__).parents[2]
FACTS = {"source": "abc"}
CELLS = tuple(CampaignCell(("t.py",), (("seed", str(seed)),)) for seed in range(6))
CAMPAIGN = Campaign("some", CELLS)


def entry(**facts: object) -> Entry:
    plain: dict[str, object] = {"test": "t.py::t", "outcome": "passed", "start": 0.0}
    return Entry(**{**plain, "seconds": 1.0, **facts})  # type: ignore[arg-type]


def record(outcome: Outcome = Outcome.PASSED, *entries: Entry, text: str = "") -> CellRecord:
    lines = "".join(one.to_line() for one in entries)
    files = {"output.txt": text.encode(), "results.jsonl": lines.encode()}
    status = {Outcome.PASSED: 0, Outcome.FAILED: 1}.get(outcome)
    return CellRecord(outcome, status, "", 0.0, 1.0, "host", "worker", files)


class FakeWorkers:
    """Gives what it is told to for each cell; counts what it was asked for."""

    def __init__(self, *answers: CellRecord | Lost, ends_after: int = 1000) -> None:
        self.answers = answers or (record(),)
        self.ends_after = ends_after
        self.asked: list[CampaignCell] = []

    def run(
        self, cells: Sequence[CampaignCell]
    ) -> Iterator[tuple[CampaignCell, CellRecord | Lost]]:
        for number, cell in enumerate(cells):
            if number == self.ends_after:
                raise KeyboardInterrupt
            self.asked.append(cell)
            for answer in self.answers:
                yield cell, answer


def text_of(results: Results, cell: CampaignCell) -> str:
    return (results.directory(cell) / "output.txt").read_text()


def test_a_result_is_there_once_and_stays(tmp_path: Path) -> None:
    results = Results(tmp_path)
    with results.opened(FACTS):
        assert results.publish(CELLS[0], record(text="first")) is True
        assert results.publish(CELLS[0], record(Outcome.FAILED, text="second")) is False
        assert text_of(results, CELLS[0]) == "first"
        assert results.outcome(CELLS[0]) is Outcome.PASSED
        assert results.done() == {CELLS[0].id}
        assert list((tmp_path / "incoming").iterdir()) == []


def test_of_many_writers_one_wins(tmp_path: Path) -> None:
    results = Results(tmp_path)
    texts = [str(number) * 1000 for number in range(16)]
    with results.opened(FACTS), ThreadPoolExecutor(8) as threads:
        records = [record(text=text) for text in texts]
        published = list(threads.map(lambda one: results.publish(CELLS[0], one), records))
    assert published.count(True) == 1
    assert text_of(results, CELLS[0]) == texts[published.index(True)]


def test_what_its_writer_did_not_finish_is_no_result(tmp_path: Path) -> None:
    results = Results(tmp_path)
    with results.opened(FACTS):
        half = results._write(CELLS[0], record())
        assert results.done() == frozenset()
    with results.opened(FACTS):
        assert not half.exists()
        assert results.done() == frozenset()


def test_an_attempt_without_a_result_is_kept_until_there_is_one(tmp_path: Path) -> None:
    results = Results(tmp_path)
    with results.opened(FACTS):
        for text in ("one", "two"):
            kept = results.keep_unfinished(CELLS[0], record(Outcome.UNFINISHED, text=text))
        assert (kept / "output.txt").read_text() == "two"
        assert results.outcome(CELLS[0]) is None
        results.publish(CELLS[0], record())
        assert not kept.exists()


def test_results_are_of_one_state_of_the_tree(tmp_path: Path) -> None:
    with Results(tmp_path).opened(FACTS):
        pass
    with pytest.raises(LabError) as caught, Results(tmp_path).opened({"source": "def"}):
        pass
    assert "abc, it is def" in caught.value.message
    assert caught.value.status is Status.USAGE


def test_a_folder_is_one_campaigns_at_a_time(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(LabError) as caught, Results(tmp_path).opened(FACTS):
            pass
    assert "Another process holds the lock" in caught.value.message


@given(st.lists(st.integers(0, 6), max_size=3))
def test_an_interrupted_campaign_goes_on_where_it_was(interruptions: list[int]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        results = Results(Path(directory))
        asked: list[CampaignCell] = []
        for ends_after in (*interruptions, 1000):
            workers = FakeWorkers(ends_after=ends_after)
            try:
                with results.opened(FACTS):
                    conduct(CAMPAIGN, results, workers, lambda _line: None)
            except KeyboardInterrupt:
                assert len(results.done()) < len(CELLS)
            asked += workers.asked
        assert asked == list(CELLS)
        assert tally(CAMPAIGN, results) == Tally(len(CELLS), 0, 0)


def test_a_record_that_comes_twice_is_one_result(tmp_path: Path) -> None:
    results, said = Results(tmp_path), list[str]()
    workers = FakeWorkers(record(text="first"), record(Outcome.FAILED, text="late"))
    with results.opened(FACTS):
        conduct(Campaign("one", CELLS[:1]), results, workers, said.append)
    assert text_of(results, CELLS[0]) == "first"
    assert "which had a result already" in said[1]


@pytest.mark.parametrize(
    ("answer", "count", "status", "says"),
    [
        (record(), Tally(6, 0, 0), Status.OK, "passed       1.0 s  by worker on host"),
        (record(Outcome.FAILED), Tally(0, 6, 0), Status.FAILED, "failed"),
        (record(Outcome.UNFINISHED), Tally(0, 0, 6), Status.INFRA, "unfinished"),
        (Lost("four workers died"), Tally(0, 0, 6), Status.INFRA, "four workers died"),
    ],
)
def test_what_becomes_of_cells(
    tmp_path: Path, answer: CellRecord | Lost, count: Tally, status: Status, says: str
) -> None:
    results, said = Results(tmp_path), list[str]()
    with results.opened(FACTS):
        conduct(CAMPAIGN, results, FakeWorkers(answer), said.append)
    assert tally(CAMPAIGN, results) == count
    assert count.status is status
    assert all(says in line for line in said)


def test_a_failure_outweighs_what_is_not_known() -> None:
    assert Tally(1, 1, 1).status is Status.FAILED


def test_the_campaign_is_one_session_in_which_no_seed_hides_another(tmp_path: Path) -> None:
    results = Results(tmp_path)
    kind = "6.1/svm-tcg/seed"
    with results.opened(FACTS):
        for cell, outcome in zip(CELLS[:2], ("failed", "passed"), strict=True):
            one = entry(test=f"t.py::t[{kind}]", cell=kind, outcome=outcome)
            results.publish(cell, record(Outcome.PASSED, one))
        session = results.summarise(CELLS)
    entries = session.entries()
    assert [(one.cell, one.outcome) for one in entries] == [
        (f"{kind}/seed-0", "failed"),
        (f"{kind}/seed-1", "passed"),
    ]
    assert {one.name for one in entries} == {"t.py::t"}
    assert session.page.exists()
    assert session.junit.exists()


@pytest.mark.parametrize(
    ("status", "entries", "outcome", "why"),
    [
        (0, [entry()], Outcome.PASSED, ""),
        (1, [entry(outcome="failed", verdict="splat")], Outcome.FAILED, ""),
        (1, [entry(), entry(verdict="infra", title="no disk")], Outcome.UNFINISHED, "no disk"),
        (0, [entry(verdict="infra", title="no disk")], Outcome.UNFINISHED, "no disk"),
        (2, [], Outcome.UNFINISHED, "status 2"),
        (5, [], Outcome.UNFINISHED, "status 5"),
        (-9, [entry()], Outcome.UNFINISHED, "signal 9"),
        (None, [entry()], Outcome.UNFINISHED, "not done within 7 s"),
    ],
)
def test_only_a_session_that_ran_to_its_end_is_a_result(
    status: int | None, entries: list[Entry], outcome: Outcome, why: str
) -> None:
    found, reason = judge(status, entries, 7)
    assert found is outcome
    assert why in reason
    assert bool(reason) is (outcome is Outcome.UNFINISHED)


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DBOS_LAB_CACHE", str(tmp_path / "cache"))
    (tmp_path / "test_it.py").write_text(
        "import time\ndef test_good(): pass\ndef test_bad(): assert 0\n"
        "def test_slow(): time.sleep(600)\n"
    )
    return tmp_path


def test_an_attempt_is_a_session_and_brings_its_record(suite: Path) -> None:
    cell = CampaignCell(("test_it.py", "-k", "not slow"), (("seed", "5"),))
    found = attempt(cell, suite, tree_state(suite))
    assert (found.outcome, found.status, found.reason) == (Outcome.FAILED, 1, "")
    assert {"output.txt", "session.json", "results.jsonl", "junit.xml"} <= found.files.keys()
    lines = found.files["results.jsonl"].decode().splitlines()
    assert [Entry.from_line(line).outcome for line in lines] == ["passed", "failed"]
    assert json.loads(found.files["session.json"])["seed"] == 5


def test_an_attempt_that_takes_too_long_is_ended(suite: Path) -> None:
    begun = time.monotonic()
    cell = CampaignCell(("test_it.py", "-k", "slow"), (), limit=1.0)
    found = attempt(cell, suite, tree_state(suite))
    assert found.outcome is Outcome.UNFINISHED
    assert time.monotonic() - begun < 60


def test_another_tree_is_not_the_campaigns(suite: Path) -> None:
    with pytest.raises(LabError) as caught:
        attempt(CampaignCell(("test_it.py",), ()), suite, "another")
    assert "the campaign's is another" in caught.value.message


def test_of_a_large_file_its_end_is_carried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attempt_module, "CARRIED", 4)
    (tmp_path / "large").write_bytes(b"0123456789")
    (tmp_path / "small").write_bytes(b"012")
    assert carried([tmp_path / "large", tmp_path / "small"]) == {"large": b"6789", "small": b"012"}


def test_the_state_of_a_tree_tells_every_difference(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        names = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *names, *arguments], cwd=tmp_path, check=True)

    file = tmp_path / "file"
    git("init", "--quiet")
    file.write_text("1")
    git("add", "file")
    git("commit", "--quiet", "--message=a")
    states = [tree_state(tmp_path)]
    for text in ("2", "3", "1"):
        file.write_text(text)
        states.append(tree_state(tmp_path))
    assert states[0] == states[3]
    assert len(set(states)) == 3
