# SPDX-License-Identifier: BSD-2-Clause
"""What the program prints, as series of samples by their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.errors import Status, die

Samples = dict[str, list[float]]

SOURCE = "tests/guest/snapshot_costs"


def parse_output(output: str, wanted: Sequence[str]) -> Samples:
    """Read it; dies with ``FAILED`` if any of ``wanted`` is missing, or there are others.

    For each event, a number: ticks, or milliseconds of what has a rate. The bytes of page tables
    that a cut has read or written, which only some methods know, are ``bytes NAME``.
    """
    samples: Samples = {}
    for line in output.splitlines():
        for name, values in _series_of(line.split()):
            samples.setdefault(name, []).extend(values)
    measured = {name for name in samples if not name.startswith("bytes ")}
    if measured != set(wanted):
        die(
            f"{SOURCE} did not measure all that it should: {', '.join(wanted)}.",
            f"compare lab/bench/snapshot/plan.py with {SOURCE}",
            status=Status.FAILED,
            detail=output,
        )
    return samples


def _series_of(words: Sequence[str]) -> Iterator[tuple[str, list[float]]]:
    match words:
        case ["cost", name, ticks, events]:
            yield name, [int(ticks) / int(events)]
        case ["each", name, *ticks]:
            yield name, [float(each) for each in ticks]
        case ["bytes", name, count]:
            yield f"bytes {name}", [float(count)]
        case ["weight", name, tables, pages]:
            yield f"tables {name}", [float(tables)]
            yield f"pages {name}", [float(pages)]
        case ["rate", name, count, milliseconds]:
            yield name, [int(milliseconds) / int(count)]
