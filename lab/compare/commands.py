# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab compare``: by how much two runs of a measurement differ."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lab.errors import Status, die

if TYPE_CHECKING:
    from rich.table import Table

    from lab.compare.ratio import Ratio
    from lab.compare.runs import Run

_RUN = click.Path(exists=True, path_type=Path)


@click.command()
@click.argument("first", type=_RUN)
@click.argument("second", type=_RUN)
@click.option(
    "--percentile",
    default=50.0,
    show_default=True,
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
)
@click.option(
    "--confidence",
    default=95.0,
    show_default=True,
    type=click.FloatRange(0, 100, min_open=True, max_open=True),
    help="That all intervals of a pair of records hold, in percent.",
)
@click.option(
    "--again",
    type=_RUN,
    help="Another run of the FIRST's code: what these two differ by is no difference either.",
)
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    help="End with status 1 if anything costs more than so many percent more, surely.",
)
@click.option(
    "--across",
    multiple=True,
    type=click.Choice(("engine", "guest", "host")),
    help="Compare though these differ. Can be given more than once.",
)
def compare(
    *,
    first: Path,
    second: Path,
    percentile: float,
    confidence: float,
    again: Path | None,
    tolerance: float | None,
    across: tuple[str, ...],
) -> None:
    """Say by how much two runs differ: records of build/bench, or two directories of them.

    Of each measure in both: the ratio of the SECOND run's percentile to the FIRST's, its bootstrap
    interval, and how much the same differs from the same (A/A): halves of a run, and the FIRST run
    and the one given by --again. A difference that is no greater is called unsteady. All measures
    are costs: more is worse.
    """
    from rich.console import Console  # noqa: PLC0415 (keeps --help fast)

    from lab.compare.runs import pairs, read_runs, refuse_unlike  # noqa: PLC0415

    console = Console(highlight=False)
    runs = read_runs(first)
    both, alone = pairs(runs, read_runs(second))
    others: dict[str, Run] = {}
    if again is not None:
        same, missing = pairs(runs, read_runs(again))
        alone = sorted({*alone, *missing})
        others = {before.name: other for before, other in same}
    _note(f"not all runs have the record {name}" for name in alone)
    found: list[Ratio] = []
    for before, after in both:
        other = others.get(before.name)
        if other is not None:
            refuse_unlike(before, other, ())
        _note(refuse_unlike(before, after, across))
        _note(f"not all runs have {name}" for name in sorted(missing_of(before, after, other)))
        ratios = compare_runs((before, after, other), percentile / 100, confidence / 100)
        console.print(table_of((before, after), ratios, percentile))
        found += ratios.values()
    console.print(summary_of(found))
    if tolerance is not None:
        sys.exit(status_of(found, tolerance))


def _note(lines: Iterable[str]) -> None:
    for line in lines:
        click.echo(f"note: {line}", err=True)


def missing_of(*runs: Run | None) -> set[str]:
    """Return the names of the measures that some of the runs have, and not all."""
    names = [run.samples.keys() for run in runs if run is not None]
    return set().union(*names).difference(set(names[0]).intersection(*names))


def compare_runs(
    runs: tuple[Run, Run, Run | None], share: float, confidence: float
) -> Mapping[str, Ratio]:
    """Compare each measure that is in the first two; the third is one more of the first's code.

    A hundred intervals of 95 % would miss five times by chance. So what may be missed is shared out
    among those measures that have samples enough for one.
    """
    from lab.compare.ratio import Settings, enough  # noqa: PLC0415
    from lab.compare.ratio import compare as compared  # noqa: PLC0415

    first, second, again = (run.samples if run is not None else {} for run in runs)
    both = [name for name in first if name in second]
    alone = Settings(share, (1 - confidence) / 2)
    intervals = sum(enough(min(len(first[name]), len(second[name])), alone) for name in both)
    settings = Settings(share, alone.tail / max(1, intervals))
    return {name: compared(first[name], second[name], settings, again.get(name)) for name in both}


def status_of(found: Sequence[Ratio], tolerance: float) -> Status:
    """Return the exit status; dies if there was nothing to judge by."""
    from lab.compare.ratio import JUDGED, Finding  # noqa: PLC0415

    if not any(ratio.finding in JUDGED for ratio in found):
        die(
            "No measure can be judged: too few samples, or runs that are unlike themselves.",
            "measure again, on an idle host or with more --repetitions",
        )
    worse = 1 + tolerance / 100
    exceeded = any(ratio.finding is Finding.MORE and ratio.low > worse for ratio in found)
    return Status.FAILED if exceeded else Status.OK


def summary_of(found: Iterable[Ratio]) -> str:
    """Count the findings."""
    counts = Counter(ratio.finding for ratio in found)
    return ", ".join(f"{finding}: {count}" for finding, count in counts.most_common())


def table_of(runs: tuple[Run, Run], ratios: Mapping[str, Ratio], percentile: float) -> Table:
    """Lay out what was found of each measure."""
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    from lab.compare.ratio import Finding  # noqa: PLC0415

    names = dict.fromkeys(run.name for run in runs)
    title = f"{', then '.join(names)}, percentile {percentile:g}"
    table = Table(title=escape(title), title_justify="left")
    table.add_column("measure", overflow="fold")
    for head in ("ratio", "interval", "A/A", "finding"):
        table.add_column(head, no_wrap=True)
    for name, ratio in ratios.items():
        shown = ratio.value == ratio.value  # not NaN
        counts = ", ".join(str(len(run.samples[name])) for run in runs)
        table.add_row(
            escape(name),
            f"{ratio.value:.4f}" if shown else "",
            f"{ratio.low:.4f} - {ratio.high:.4f}" if shown else "",
            f"{ratio.alike:.4f}" if shown else "",
            f"{ratio.finding}: {counts}" if ratio.finding is Finding.TOO_FEW else ratio.finding,
        )
    return table
