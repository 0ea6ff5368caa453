# SPDX-License-Identifier: BSD-2-Clause
"""How measurements are judged and written down, and how the peer is asked."""

from __future__ import annotations

import json
import random
import statistics
from pathlib import Path

import pytest

from lab.bench.lab import PEER, checks_of
from lab.bench.peer import Peer
from lab.bench.record import Check, Record, interval, percentile
from lab.image.build import Image

SAMPLES = {
    f"{what}, {profile}": values
    for profile in ("seed", "stock")
    for what, values in {
        "boot to command": [2.0, 2.2, 1.8],
        "restore": [0.1, 0.1, 0.7],
        "restore to command": [0.4, 0.4, 1.4],
    }.items()
}


@pytest.mark.parametrize(
    ("check", "ratio", "met"),
    [
        (Check("p95", 0.5, 0.5), None, True),
        (Check("p95", 0.51, 0.5), None, False),
        (Check("boot", 2.0, 3, against="peer", baseline=6.0), 3.0, True),
        (Check("boot", 2.0, 3, against="peer", baseline=5.9), 2.95, False),
        (Check("boot", 2.0, 3, against="peer", baseline=None), None, False),
    ],
)
def test_whether_a_target_is_met(check: Check, ratio: float | None, met: bool) -> None:
    assert check.ratio == (None if ratio is None else pytest.approx(ratio))
    assert check.met is met


def test_the_targets_of_a_run() -> None:
    checks = {check.name: check for check in checks_of({**SAMPLES, PEER: [14.0, 13.0, 15.0]})}
    assert len(checks) == 10
    assert not checks["restore, seed, p95"].met  # 0.7 s
    assert checks["restore to command, seed, p95"].met
    assert checks["restore, stock"].ratio == pytest.approx(20)
    assert checks["boot to command, seed"].ratio == pytest.approx(7)
    assert checks["restore to command, stock"].ratio == pytest.approx(35)


def test_without_the_peer_its_targets_are_not_met() -> None:
    unmet = [check.name for check in checks_of(SAMPLES) if check.against == PEER and not check.met]
    assert len(unmet) == 4


def test_the_record_is_complete(tmp_path: Path) -> None:
    checks = [Check("restore", 0.1, 15, against="boot", baseline=2.0), Check("p95", 0.2, 0.5)]
    record = Record("lab", "svm-tcg", {"kernel": "6.1"}, {"restore": [0.1, 0.2]}, checks)
    document = json.loads(record.write(tmp_path / "bench").read_text())
    assert document["engine"] == "svm-tcg"
    assert document["guest"] == {"kernel": "6.1"}
    assert document["samples"] == {"restore": [0.1, 0.2]}
    assert {"cpus", "kernel", "load"} <= document["host"].keys()
    assert [(check["ratio"], check["met"]) for check in document["checks"]] == [
        (pytest.approx(20), True),
        (None, True),
    ]
    wanted = {"name", "value", "baseline", "ratio", "target", "unit", "met"}
    assert all(wanted <= check.keys() for check in document["checks"])


@pytest.mark.parametrize(("share", "value"), [(0.95, 95), (0.5, 50), (0.0, 1), (1.0, 100)])
def test_percentiles(share: float, value: int) -> None:
    assert percentile(random.Random(1).sample(range(1, 101), 100), share) == value


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    draw = random.Random(2)
    for count in (6, 12, 60):
        held = 0
        for _ in range(1000):
            low, high = interval([draw.random() for _ in range(count)])
            held += low <= 0.5 <= high
        assert held >= 940, count
    assert interval([3.0, 1.0, 2.0]) == (1.0, 3.0)
    wide = [float(value) for value in range(60)]
    low, high = interval(wide)
    assert (low, high) != (0.0, 59.0)
    assert low < statistics.median(wide) < high


VNG = """#!/bin/sh
[ "$1" = --version ] && echo "virtme-ng 9.9" && exit
test -x "$(command -v busybox)" || exit 1
for word; do last=$word; done
%s
"""


@pytest.fixture
def image(tmp_path: Path) -> Image:
    (tmp_path / "tree/bin").mkdir(parents=True)
    (tmp_path / "tree/bin/busybox").touch(mode=0o755)
    nothing = tmp_path / "none"
    return Image(
        name="tiny",
        release="bookworm",
        kernel=nothing,
        initramfs=nothing,
        kernel_release="6.1",
        digest="digest",
        toolchain=tmp_path / "tree",
        manifest=nothing,
        locked=False,
    )


def peer(tmp_path: Path, image: Image, does: str) -> Peer:
    program = tmp_path / "vng"
    program.write_text(VNG % does)
    program.chmod(0o755)
    return Peer(program, image)


def test_the_peer_is_timed_to_its_result(tmp_path: Path, image: Image) -> None:
    asked = peer(tmp_path, image, 'sleep 0.3; uname() { echo 6.1; }; eval "$last"; sleep 0.5')
    assert asked.version == "virtme-ng 9.9"
    assert 0.3 <= asked.seconds_to_command(2, 512) < 0.75


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("echo no kernel here; exit 3", "no kernel here"),
        ('uname() { echo 5.10; }; eval "$last"', "another kernel"),
    ],
)
def test_a_peer_without_a_result_says_why(
    tmp_path: Path, image: Image, does: str, said: str
) -> None:
    with pytest.raises(RuntimeError, match=said):
        peer(tmp_path, image, does).seconds_to_command(2, 512)
