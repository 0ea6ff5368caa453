# SPDX-License-Identifier: BSD-2-Clause
"""How the costs of snapshots are read and judged."""

from __future__ import annotations

import pytest

from lab.bench.snapshot import ENGINES, FORK, SIZES, Output, checks_of, names_of, parse_output
from lab.errors import LabError


def output(kinds: tuple[str, ...], size: int, each: int) -> str:
    costs = [f"cost {name} {each * 2} 2" for name in names_of(kinds, size)] * 5
    return "\n".join([*costs, *(f"bytes {kind}-{size} {size * 4}" for kind in kinds)]) + "\n"


def measured(fork: int, ours: int) -> Output:
    samples: dict[str, list[float]] = {}
    table_bytes: dict[str, list[int]] = {}
    for size in SIZES:
        for kinds, each in (((FORK,), fork), (ENGINES, ours)):
            read = parse_output(output(kinds, size, each), names_of(kinds, size))
            samples |= {name: list(values) for name, values in read.samples.items()}
            table_bytes |= {name: list(values) for name, values in read.table_bytes.items()}
    return Output(samples, table_bytes)


def test_samples_are_for_one_event() -> None:
    read = parse_output(output(ENGINES, 64, 100), names_of(ENGINES, 64))
    assert read.samples["lazy-write-64"] == [100.0] * 5
    assert read.table_bytes["epoch-64"] == [256]


def test_targets_are_judged_by_the_ratio_and_tables_by_their_growth() -> None:
    met = {check.name: check.met for check in checks_of(measured(50_000, 100), "instructions")}
    assert not met["lazy of 512 MiB"]
    assert met["epoch of 512 MiB"]
    assert met["lazy-write of 512 MiB"]
    assert met["bytes of page tables for 2 MiB, lazy"]


def test_an_incomplete_output_is_refused() -> None:
    said = output((FORK,), 64, 1)
    with pytest.raises(LabError, match="did not measure all that it should"):
        parse_output(said + "cost fork-64 1 1\n", names_of((FORK,), 64))
    with pytest.raises(LabError, match="did not measure all that it should"):
        parse_output(said, names_of(ENGINES, 64))
