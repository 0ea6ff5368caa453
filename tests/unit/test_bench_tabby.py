# SPDX-License-Identifier: BSD-2-Clause
"""How the costs of buffer pools are read, judged and drawn."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

from lab.bench.executed import Instruction
from lab.bench.tabby.measure import (
    COST,
    COUNTERS,
    SHOOTDOWNS,
    frames_of,
    per_operation,
    sample_name,
)
from lab.bench.tabby.miss import miss_table, owners
from lab.bench.tabby.plan import COUNTED, IN_MEMORY, MADVISE, MMU, PARTS, TIMED, Cell, ycsb
from lab.bench.tabby.plot import draw
from lab.bench.tabby.show import cost_table, counter_table, sentence_of
from lab.bench.tabby.targets import checks_of
from lab.errors import LabError

CELLS = (*COUNTED, *TIMED)
CELL = ycsb("c", "uniform", "1/2", 1000)


def said(**changes: object) -> str:
    reported: dict[str, object] = dict.fromkeys(COUNTERS, 500)
    reported |= {"operations": 1000, "errors": 0, "cpu_seconds": 0.009, "repairs": None}
    return json.dumps(reported | changes) + "\n4000\n"


def measured(
    ours: float, madvise: float, cells: tuple[Cell, ...] = CELLS
) -> dict[str, list[float]]:
    """All that is measured, of each pool the same but its cost."""
    costs = {MMU: ours, MADVISE: madvise}
    return {
        sample_name(cell, pool, what): [costs.get(pool, 5.0) if what == COST else 0.0] * 3
        for cell in cells
        for pool in cell.pools
        for what in (COST, SHOOTDOWNS, *COUNTERS)
    }


def test_cells_have_names_of_their_own() -> None:
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    assert {MMU, MADVISE} <= {pool for cell in CELLS for pool in cell.pools}


def test_a_run_is_for_one_operation() -> None:
    read = per_operation(said(), CELL, MMU)
    assert read[sample_name(CELL, MMU, COST)] == [9000.0]
    assert read[sample_name(CELL, MMU, "evictions")] == [0.5]
    assert read[sample_name(CELL, MMU, SHOOTDOWNS)] == [2.0]
    assert sample_name(CELL, MMU, "repairs") not in read


@pytest.mark.parametrize(
    "output", ["", "4000\n", said(operations=999), said(errors=1), said() + "more\n"]
)
def test_a_run_that_did_less_is_none(output: str) -> None:
    with pytest.raises(LabError, match="did not do all of"):
        per_operation(output, CELL, MMU)


def test_frames_are_a_share_of_the_store() -> None:
    assert frames_of(CELL, {"ycsb": 1456, "tpcc": 7}) == 728
    assert frames_of(ycsb("a", "zipfian", IN_MEMORY), {"ycsb": 1456}) == 1820


@pytest.mark.parametrize(
    ("times", "met"),
    [(0.99, set()), (1.0, {1.0}), (2.4, {1.0, 2.0}), (3.9, {1.0, 2.0, 2.5}), (4.1, {1, 2, 2.5, 4})],
)
def test_targets(times: float, met: set[float]) -> None:
    checks = checks_of(measured(1000.0, 1000.0 * times), COUNTED, "instructions")
    compared = [check for check in checks if check.against]
    assert {check.target for check in compared if check.met} == met
    assert {check.target for check in compared if not check.met} == {1.0, 2.0, 2.5, 4.0} - met
    assert not {cell.name for cell in PARTS} & {check.name for check in checks}


def test_one_interrupt_is_too_many() -> None:
    samples = measured(1.0, 9.0, (CELL,))
    assert all(check.met for check in checks_of(samples, (CELL,), "instructions"))
    samples[sample_name(CELL, MMU, "flush_interrupts")][1] = 0.001
    failed = [check for check in checks_of(samples, (CELL,), "instructions") if not check.met]
    assert [check.name for check in failed] == ["interrupts to flush, by the MMU"]
    assert sentence_of(failed[0]).endswith("target 0: NOT met")


def test_what_is_shown() -> None:
    samples = measured(1000.0, 2500.0)
    assert cost_table(samples, CELLS, "Instructions", "svm-icount").row_count == len(CELLS)
    assert counter_table(samples, CELLS, "svm-icount").row_count == 2 * len(CELLS)
    drawing = draw("pools", {"one": {MMU: 1.0, MADVISE: 4.0}, "two": {MMU: 2.0}})
    assert len(ET.fromstring(drawing).findall("{http://www.w3.org/2000/svg}polyline")) == 3


def test_whose_instructions_are() -> None:
    kallsyms = (
        "ffffffff81000000 T do_idle\nffffffffc0000000 t queue\t[virtio_blk]\n"
        "ffffffffc0001000 t enter\t[dune]\n"
    )
    addresses = (0x400000, 0xFFFFFFFF81000004, 0xFFFFFFFFC0000008, 0xFFFFFFFFC0001000)
    executed = [Instruction(address, "nop") for address in (*addresses, addresses[-1])]
    by_owner = owners(kallsyms, executed)
    assert by_owner == {"(process or guest)": 1, "kernel": 1, "virtio_blk": 1, "dune": 2}
    table = miss_table(by_owner, by_owner)
    assert table.title == "A miss by the MMU: 5 instructions"
    assert table.row_count == 4
