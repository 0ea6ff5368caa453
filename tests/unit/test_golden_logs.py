# SPDX-License-Identifier: BSD-2-Clause
"""What the scanner makes of what kernels really print: every log of tests/golden."""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from lab.verdict import kernel_log
from lab.verdict.report import Report
from lab.verdict.scanner import Scanner, scan

GOLDEN = Path(__file__).resolve().parents[1] / "golden"


@dataclass(frozen=True)
class Log:
    """One row of the index: a file, where its lines were read, and what is to be found."""

    path: Path
    source: str
    titles: tuple[str, ...]

    @property
    def stream(self) -> bytes:
        """The log as the scanner takes it."""
        data = self.path.read_bytes()
        return data if self.source == "console" else _kernel_lines(data)

    def reports(self) -> tuple[Report, ...]:
        """What is found in it, in the way of its source."""
        if self.source == "console":
            return scan(self.stream)
        return kernel_log.complaints(kernel_log.parse(self.path.read_text()))


def _kernel_lines(data: bytes) -> bytes:
    records = kernel_log.parse(data.decode())
    return kernel_log.render(record for record in records if record.facility == 0).encode()


def index() -> list[Log]:
    rows = yaml.safe_load((GOLDEN / "index.yaml").read_text())
    return [Log(GOLDEN / row["log"], row["source"], tuple(row["titles"])) for row in rows]


def names(logs: list[Log]) -> list[str]:
    return [str(log.path.relative_to(GOLDEN)) for log in logs]


LOGS = index()


def test_the_index_names_every_log_and_no_other() -> None:
    assert sorted(log.path for log in LOGS) == sorted(GOLDEN.glob("*/*.log"))
    assert {log.source for log in LOGS} <= {"console", "kmsg"}


def test_logs_of_faults_have_titles_and_clean_ones_have_none() -> None:
    wrong = [log.path.name for log in LOGS if (log.path.parent.name == "splat") != bool(log.titles)]
    assert wrong == []


@pytest.mark.parametrize("log", LOGS, ids=names(LOGS))
def test_every_title_is_right_and_clean_logs_have_none(log: Log) -> None:
    assert tuple(report.title for report in log.reports()) == log.titles


@pytest.mark.parametrize("log", LOGS, ids=names(LOGS))
def test_the_same_is_found_however_the_log_is_cut(log: Log) -> None:
    stream = log.stream
    whole = scan(stream)
    for seed in range(5):
        count = min(len(stream), 40)
        cuts = sorted(random.Random(seed).sample(range(len(stream)), count))
        scanner = Scanner()
        found: list[Report] = []
        for start, end in pairwise([0, *cuts, len(stream)]):
            found += scanner.feed(stream[start:end])
        assert (*found, *scanner.finish()) == whole
