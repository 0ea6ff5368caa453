# SPDX-License-Identifier: BSD-2-Clause
"""Intervals hold the truth as often as they say; a run that is unlike itself proves nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from random import Random

import pytest
from click.testing import CliRunner, Result
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lab.bench.record import Record, percentile
from lab.compare.commands import compare as command
from lab.compare.commands import compare_runs
from lab.compare.ratio import LEAST, Finding, Settings, compare, enough, interval, resampled
from lab.compare.runs import Run, read_runs
from lab.errors import LabError, Status

# A smaller seed is no simpler, so nothing is shrunk.
QUICK = settings(max_examples=20, deadline=None, phases=(Phase.explicit, Phase.generate))
PLENTY = 40


def sample(random: Random, count: int, median: float, spread: float) -> list[float]:
    return [median * math.exp(random.gauss(0, spread)) for _ in range(count)]


@settings(QUICK, max_examples=6)
@given(
    seed=st.integers(0, 2**32),
    truth=st.floats(0.2, 5),
    spread=st.floats(0.05, 0.8),
    counts=st.tuples(st.integers(20, 60), st.integers(20, 60)),
)
def test_intervals_hold_the_truth_at_about_the_stated_rate(
    seed: int, truth: float, spread: float, counts: tuple[int, int]
) -> None:
    random, trials, held = Random(seed), 200, 0
    for _ in range(trials):
        first = sample(random, counts[0], 1, spread)
        second = sample(random, counts[1], truth, spread)
        low, high = interval(first, second, Settings(tail=0.1))
        held += low <= truth <= high
    # Of 200 trials at 80 % fewer than 0.66 or more than 0.94 happen once in a million.
    assert 0.66 <= held / trials <= 0.94


@settings(QUICK, max_examples=8)
@given(
    seed=st.integers(0, 2**32),
    count=st.integers(LEAST, 30),
    share=st.sampled_from((0.1, 0.5, 0.9)),
)
def test_what_is_computed_is_what_resampling_would_come_to(
    seed: int, count: int, share: float
) -> None:
    random, trials = Random(seed), 4000
    values = [float(random.randrange(20)) for _ in range(count)]  # with ties
    computed = resampled(values, share)
    assert math.isclose(sum(computed.values()), 1, abs_tol=1e-9)
    drawn = [percentile(random.choices(values, k=count), share) for _ in range(trials)]
    for value in range(20):
        upto = sum(weight for each, weight in computed.items() if each <= value)
        # Dvoretzky, Kiefer and Wolfowitz: further off once in 1e8 of such tests.
        assert abs(upto - sum(each <= value for each in drawn) / trials) < 0.05


@pytest.mark.parametrize("count", [1000, 5000])
def test_many_samples_are_no_more_than_a_matter_of_time(count: int) -> None:
    values = [float(value) for value in range(1, count + 1)]
    low, high = interval(values, values, Settings())
    # The standard deviation of a median of uniform numbers is half the root of their count.
    expected = 1.96 * math.sqrt(2) * math.sqrt(count) / 2 / (count / 2)
    assert math.isclose(high - 1, expected, rel_tol=0.1)
    assert math.isclose(1 - low, expected, rel_tol=0.1)


@given(seed=st.integers(0, 2**32), factor=st.floats(0.3, 3))
@QUICK
def test_the_other_way_round_is_the_reciprocal(seed: int, factor: float) -> None:
    random = Random(seed)
    first, second = sample(random, 23, 1, 0.3), sample(random, 31, factor, 0.3)
    one, other = compare(first, second, Settings()), compare(second, first, Settings())
    assert math.isclose(one.value * other.value, 1)
    assert math.isclose(one.low * other.high, 1)
    assert math.isclose(one.high * other.low, 1)


@given(seed=st.integers(0, 2**32), factor=st.floats(1.5, 4))
@QUICK
def test_a_clear_difference_is_found_either_way(seed: int, factor: float) -> None:
    random = Random(seed)
    first, second = sample(random, PLENTY, 1, 0.03), sample(random, PLENTY, factor, 0.03)
    more = compare(first, second, Settings())
    assert more.finding is Finding.MORE
    assert 0.9 * factor < more.low <= more.value <= more.high < 1.1 * factor
    assert compare(second, first, Settings()).finding is Finding.LESS


@given(seed=st.integers(0, 2**32), drift=st.floats(1.3, 3))
@QUICK
def test_a_run_that_drifts_as_much_proves_nothing(seed: int, drift: float) -> None:
    random = Random(seed)
    first = sample(random, PLENTY, 1, 0.02)
    second = sample(random, 20, drift, 0.02) + sample(random, 20, 1.1 * drift**2, 0.02)
    for one, other in ((first, second), (second, first)):
        found = compare(one, other, Settings())
        assert not found.low <= 1 <= found.high
        assert found.finding is Finding.UNSTEADY


def test_what_another_run_of_the_same_code_differs_by_proves_nothing(tmp_path: Path) -> None:
    # Counted instructions: nothing varies in a run, and a little from one boot to the next.
    runs = {"a": 1000.0, "b": 1003.0, "c": 996.0, "d": 1005.0}
    a, b, c, d = (write(tmp_path / run, "hv", exit=[cost] * 11) for run, cost in runs.items())
    for second, again, finding in ((b, (), "more"), (b, ("--again", c), "unsteady")):
        assert f"{finding}: 1" in said(a, second, *again).output
    assert "more: 1" in said(a, d, "--again", c).output


def test_another_run_of_the_same_code_is_to_have_been_on_the_same_machine(tmp_path: Path) -> None:
    a, b = (write(tmp_path / run, "hv", exit=[1.0] * 11) for run in "ab")
    c = write(tmp_path / "c", "hv", "svm-kvm", exit=[1.0] * 11)
    assert isinstance(said(a, b, "--again", c, "--across", "engine").exception, LabError)


@given(seed=st.integers(0, 2**32))
@QUICK
def test_the_same_run_twice_does_not_differ(seed: int) -> None:
    values = sample(Random(seed), 30, 1, 0.3)
    found = compare(values, values, Settings())
    assert (found.finding, found.value) == (Finding.ALIKE, 1)


def test_what_cannot_be_compared_is_said_to_be_so() -> None:
    few, plenty, zero = [1.0] * (LEAST - 1), [1.0] * LEAST, [0.0] * LEAST
    assert compare(few, plenty, Settings()).finding is Finding.TOO_FEW
    assert compare(plenty, few, Settings()).finding is Finding.TOO_FEW
    assert compare(zero, plenty, Settings()).finding is Finding.NO_RATIO
    assert compare(plenty, plenty, Settings()).finding is Finding.ALIKE


def test_rare_events_want_more_samples() -> None:
    # All samples of a run below its 99th percentile: of 368 once in 40 runs.
    rare = Settings(share=0.99)
    assert (enough(367, rare), enough(368, rare)) == (False, True)
    assert not enough(LEAST - 1, Settings(tail=0.4))


def run_of(samples: Mapping[str, list[float]]) -> Run:
    return Run("a", {}, samples)


def test_of_many_measures_that_do_not_differ_none_is_said_to() -> None:
    random, wrong = Random(5), 0
    for _ in range(50):
        first, second = (
            {str(number): sample(random, 25, 1, 0.2) for number in range(40)} for _ in range(2)
        )
        ratios = compare_runs((run_of(first), run_of(second), None), 0.5, 0.95)
        wrong += any(not ratio.low <= 1 <= ratio.high for ratio in ratios.values())
    # At 5 %, more than 10 of 50 happen once in 10,000. Not shared out, it would be 43.
    assert wrong <= 10


def test_measures_with_too_few_samples_cost_the_others_nothing() -> None:
    few = {f"few {number}": [1.0] for number in range(1000)}
    run = run_of({**few, "enough": [1.0] * LEAST})
    ratios = compare_runs((run, run, None), 0.5, 0.95)
    assert ratios["enough"].finding is Finding.ALIKE
    assert ratios["few 7"].finding is Finding.TOO_FEW


def write(directory: Path, name: str, engine: str = "svm-tcg", **samples: list[float]) -> Path:
    return Record(name, engine, {"kernel": "6.1"}, samples, []).write(directory)


def said(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(each) for each in arguments])


def test_the_command_says_it_and_ends_by_the_tolerance(tmp_path: Path) -> None:
    random, a, b = Random(1), tmp_path / "a", tmp_path / "b"
    before = write(a, "lab", boot=sample(random, PLENTY, 1, 0.02), gone=[1.0])
    after = write(b, "lab", boot=sample(random, PLENTY, 1.5, 0.02))
    write(b, "hv", exit=[1.0])
    run = said(before, after)
    assert run.exit_code == 0
    assert "more: 1" in run.output
    assert "note: not all runs have gone" in run.output
    whole = said(a, b)
    assert "note: not all runs have the record hv" in said(b, a).output
    assert "more: 1" in whole.output
    for directories, tolerance, status in (((a, b), 20, 1), ((a, b), 100, 0), ((b, a), 20, 0)):
        assert said(*directories, "--tolerance", tolerance).exit_code == status


@pytest.mark.parametrize(
    "values", [[2.0] * (LEAST - 1), [2.0] * PLENTY + [4.0] * PLENTY], ids=["few", "unsteady"]
)
def test_nothing_that_can_be_judged_is_no_success(tmp_path: Path, values: list[float]) -> None:
    before = write(tmp_path / "a", "lab", boot=[1.0] * len(values))
    after = write(tmp_path / "b", "lab", boot=values)
    assert said(before, after).exit_code == 0
    failed = said(before, after, "--tolerance", 50).exception
    assert isinstance(failed, LabError)
    assert failed.status is Status.FAILED


@pytest.mark.parametrize(
    ("kind", "fact"), [("engine", None), ("guest", "kernel"), ("host", "cpus"), ("host", "new")]
)
def test_runs_that_differ_in_more_than_code_are_refused(
    tmp_path: Path, kind: str, fact: str | None
) -> None:
    before = write(tmp_path / "a", "lab", boot=[1.0] * LEAST)
    after = write(tmp_path / "b", "lab", boot=[1.0] * LEAST)
    document = json.loads(after.read_text())
    document["host"]["load"] = 99.0
    if fact is None:
        document[kind] = "another"
    else:
        document[kind][fact] = "another"
    after.write_text(json.dumps(document))
    failed = said(before, after).exception
    assert isinstance(failed, LabError)
    assert (failed.status, failed.hint.partition("--")[2]) == (Status.USAGE, f"across {kind}")
    assert "another" in failed.detail
    assert "load" not in failed.detail
    allowed = said(before, after, "--across", kind)
    assert allowed.exit_code == 0
    assert f"note: {kind}, {fact or 'name'}" in allowed.output
    others = {"engine", "guest", "host"} - {kind}
    assert said(before, after, *(f"--across={other}" for other in others)).exit_code != 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"samples": {"a": ["x"]}, "engine": "e"}'])
def test_what_is_no_record_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(LabError) as failed:
        read_runs(path)
    assert failed.value.status is Status.USAGE


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    for name in ("lab", "other"):
        write(tmp_path / "a", name, boot=[1.0])
    write(tmp_path / "b", "hv", exit=[1.0])
    (tmp_path / "c").mkdir()
    assert "no record of one name" in str(said(tmp_path / "a", tmp_path / "b").exception)
    assert "no record in" in str(said(tmp_path / "a", tmp_path / "c").exception)
