# SPDX-License-Identifier: BSD-2-Clause
import struct

import pytest

from lab.bench.redis.latencies import Load, parse_load, worst
from lab.bench.redis.plot import draw
from lab.bench.redis.requests import checks_of as request_checks
from lab.bench.redis.requests import parse_costs
from lab.bench.redis.saves import checks_of, sample_name
from lab.bench.redis.server import FORK, SNAPSHOT
from lab.errors import LabError

MS = 1_000_000
SAID = "some noise\nredis-load: 4 requests, saved from 2000000 to 5000000\n"
RECORDS = b"".join(
    struct.pack("<QQ", due * MS, took * MS) for due, took in [(0, 1), (1, 3), (2, 9), (5, 2)]
)


def test_records_are_read() -> None:
    load = parse_load(SAID, RECORDS)
    assert load == Load((0, 1, 2, 5), (1, 3, 9, 2), 2.0, 5.0)
    assert load.save == 3.0


def test_a_request_counts_where_it_was_due() -> None:
    load = parse_load(SAID, RECORDS)
    assert load.during == [9]
    assert load.before == [1], "what the save may have held up says nothing of the time before it"


@pytest.mark.parametrize(
    ("said", "records"),
    [("redis-load: the server has gone\n", RECORDS), (SAID, RECORDS[:-16]), (SAID, b"")],
)
def test_half_a_run_is_none(said: str, records: bytes) -> None:
    with pytest.raises(LabError) as caught:
        parse_load(said, records)
    assert caught.value.detail == said


def test_figures() -> None:
    values = [float(value) for value in range(1, 2001)]
    assert worst(values) == {"p50": 1000.0, "p95": 1900.0, "p99.9": 1998.0, "max": 2000.0}


def samples_of(fork: float, snapshot: float) -> dict[str, list[float]]:
    return {
        sample_name(figure, way, mib): [value, value, value]
        for figure in ("max", "p99.9", "p95", "save")
        for way, value in ((FORK, fork), (SNAPSHOT, snapshot))
        for mib in (1, 2)
    }


def test_what_was_promised_is_judged() -> None:
    assert all(check.met for check in checks_of(samples_of(100.0, 10.0), (1, 2)))
    unmet = [check.name for check in checks_of(samples_of(100.0, 105.0), (1, 2)) if not check.met]
    assert unmet == ["max, 2 MiB", *(f"{f}, {m} MiB" for f in ("p99.9", "p95") for m in (1, 2))]


def test_a_wait_that_grows_with_size_is_not_flat() -> None:
    samples = samples_of(100.0, 1.0)
    samples[sample_name("max", SNAPSHOT, 2)] = [3.0]
    assert "max, 2 against 1 MiB" in [
        check.name for check in checks_of(samples, (1, 2)) if not check.met
    ]


def test_a_drawing_has_both_ways() -> None:
    load = parse_load(SAID, RECORDS)
    drawing = draw("title", {FORK: load, SNAPSHOT: load})
    assert drawing.startswith("<svg")
    assert drawing.count("saved in 3 ms") == 2


def costs(repetitions: int) -> str:
    lines = [
        f"cost {way} {command} {pipeline} 8000 {4000 if way == SNAPSHOT else 0}\n"
        for way in (FORK, SNAPSHOT)
        for command in ("get", "set")
        for pipeline in (1, 16)
    ]
    return "".join(lines * repetitions)


def test_costs_are_of_one_request() -> None:
    samples = parse_costs(costs(2), 2)
    assert samples[f"instructions, get, pipeline 16, {FORK}"] == [2.0, 2.0]
    assert samples[f"exits, set, pipeline 1, {SNAPSHOT}"] == [1.0, 1.0]


def test_a_missing_cost_is_an_error() -> None:
    with pytest.raises(LabError):
        parse_costs(costs(2).partition("\n")[2], 2)


def test_a_request_may_cost_a_little_more() -> None:
    samples = parse_costs(costs(1), 1)
    assert all(check.met for check in request_checks(samples))
    samples[f"instructions, get, pipeline 1, {SNAPSHOT}"] = [2.2]
    assert [check.name for check in request_checks(samples) if not check.met] == ["get, pipeline 1"]
