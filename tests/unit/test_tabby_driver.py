# SPDX-License-Identifier: BSD-2-Clause
"""``tabby``, the driver: its workloads on pools that need no privilege, with all checks on."""

from __future__ import annotations

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tabby_programs import make

SECONDS = 120.0
SMALL = ("--frames", "256", "--records", "30000", "--operations", "20000", "--threads", "2")
"""1,040 pages of records: most reads miss."""
LETTERS = "abcdef"


@pytest.fixture(scope="module")
def tabby(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("driver"), "plain", "-O2 -g", "tabby") / "tabby"


def call(tabby: Path, *argv: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tabby, "--quiet", *argv], capture_output=True, text=True, check=False, timeout=SECONDS
    )


def run(tabby: Path, *argv: str | Path) -> dict[str, Any]:
    done = call(tabby, *argv)
    assert done.returncode == 0, done.stdout + done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("distribution", ["uniform", "zipfian"])
@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("kind", ["hash", "madvise"])
def test_ycsb(tabby: Path, tmp_path: Path, kind: str, letter: str, distribution: str) -> None:
    result = run(
        tabby,
        *("--pool", kind, "--workload", f"ycsb-{letter}", "--distribution", distribution),
        *("--file", tmp_path / "store", "--check", *SMALL),
    )
    assert result["operations"] == 20000
    assert (result["errors"], result["missing"], result["checked"]) == (0, 0, True)
    assert result["pages_read"] > 1000
    assert (result["updates"] > 0) == (letter in "abf")
    assert (result["inserts"] > 0) == (letter in "de")


def test_pages_without_a_tree(tabby: Path, tmp_path: Path) -> None:
    result = run(
        tabby, *("--pool", "hash", "--workload", "read", "--file", tmp_path / "store", *SMALL)
    )
    assert result["pages_read"] > 10000


@pytest.mark.parametrize("warehouses", ["1", "3"])
@pytest.mark.parametrize("kind", ["hash", "madvise"])
def test_tpcc_is_consistent(tabby: Path, tmp_path: Path, kind: str, warehouses: str) -> None:
    setting = [
        *("--pool", kind, "--workload", "tpcc", "--warehouses", warehouses, "--scale", "0.02"),
        *("--threads", "2", "--frames", "256", "--operations", "4000", "--check"),
    ]
    result = run(tabby, *setting, "--file", tmp_path / "store")
    assert result["checked"]
    assert result["evictions"] > 1000
    assert all(
        result[kind] > 50
        for kind in ("new_orders", "payments", "order_statuses", "deliveries", "stock_levels")
    )
    assert 0 < result["rolled_back"] < 60
    # What is there is what was left there, and goes on from it.
    again = run(tabby, *setting, "--open", "--file", tmp_path / "store")
    assert again["checked"]
    assert again["load_seconds"] == 0


def test_the_same_seed_is_the_same_run(tabby: Path, tmp_path: Path) -> None:
    setting = ("--pool", "hash", "--workload", "ycsb-a", "--distribution", "zipfian", "--check")
    runs = [
        run(tabby, *setting, *SMALL, "--threads", "1", "--seed", seed, "--file", tmp_path / "store")
        for seed in ("7", "7", "8")
    ]
    counted = [(one["updates"], one["pages"], one["pages_read"]) for one in runs]
    assert counted[0] == counted[1] != counted[2]


def test_popular_records_are_popular(tabby: Path, tmp_path: Path) -> None:
    setting = ("--pool", "hash", "--workload", "ycsb-c", *SMALL, "--frames", "64")
    reads = [
        run(tabby, *setting, *more, "--file", tmp_path / "store")["pages_read"]
        for more in (
            ("--distribution", "uniform"),
            ("--distribution", "zipfian", "--theta", "0.9"),
            ("--distribution", "zipfian", "--theta", "0.999"),
        )
    ]
    assert reads[0] > 1.1 * reads[1] > 1.1 * reads[2]


def test_striped_over_files(tabby: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two", "three")]
    options = [option for path in files for option in ("--file", str(path))]
    run(tabby, "--pool", "hash", "--workload", "ycsb-c", "--check", *SMALL, *options)
    sizes = [path.stat().st_size for path in files]
    assert min(sizes) > 0
    assert max(sizes) - min(sizes) <= 4096 * 64


def test_csv_has_what_json_has(tabby: Path, tmp_path: Path) -> None:
    setting = ("--pool", "hash", "--workload", "ycsb-c", *SMALL, "--file", tmp_path / "store")
    done = call(tabby, *setting, "--output", "csv")
    (row,) = csv.DictReader(done.stdout.splitlines())
    assert list(row) == list(run(tabby, *setting))
    assert row["operations"] == "20000"
    assert row["vcpu_flushes"] == ""


def test_damage_is_seen(tabby: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    setting = ("--pool", "hash", "--workload", "ycsb-c", "--check", "--no-checksums", *SMALL)
    run(tabby, *setting, "--file", store)
    content = bytearray(store.read_bytes())
    page = content.rindex(b"\0" * 7 + b"\x01")
    content[page + 40] ^= 1
    store.write_bytes(content)
    done = call(tabby, *setting, "--open", "--file", store)
    assert done.returncode == 1
    assert "tabby: " in done.stderr


@pytest.mark.parametrize(
    ("argv", "says", "status"),
    [
        (["--pool", "hash"], "--pool, --workload and --file are needed", 2),
        (["--pool", "none", "--workload", "ycsb-a", "--file", "x"], "no engine none", 3),
        (["--workload", "ycsb-x"], "--workload cannot be 'ycsb-x'; try: tabby --help", 2),
        (["--frames", "7"], "--frames cannot be '7'", 2),
        (["--theta", "1"], "--theta cannot be '1'", 2),
        (["--seconds", "soon"], "--seconds cannot be 'soon'", 2),
        (["--records", "1x"], "--records cannot be '1x'", 2),
        (["more"], "'more' is no option", 2),
        (["--pool", "hash", "--workload", "ycsb-a", "--file", "/no/where"], "open: No such", 1),
    ],
)
def test_refusals(tabby: Path, argv: list[str], says: str, status: int) -> None:
    done = call(tabby, *argv)
    assert done.returncode == status
    assert says in done.stderr
    assert done.stdout == ""


def test_help_lists_engines_and_workloads(tabby: Path) -> None:
    said = call(tabby, "--help").stdout
    assert all(f"ycsb-{letter}" in said for letter in LETTERS)
    assert "tpcc" in said
    assert "madvise" in said
