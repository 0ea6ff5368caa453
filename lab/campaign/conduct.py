# SPDX-License-Identifier: BSD-2-Clause
"""A campaign from its beginning, or from wherever it was interrupted, to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from lab.campaign.definition import Campaign, CampaignCell
from lab.campaign.record import CellRecord, Outcome
from lab.campaign.results import Results
from lab.errors import Status


@dataclass(frozen=True)
class Lost:
    """A cell that no host could carry to a record, and why."""

    reason: str


class Workers(Protocol):
    """Whatever runs cells somewhere."""

    def run(
        self, cells: Sequence[CampaignCell]
    ) -> Iterator[tuple[CampaignCell, CellRecord | Lost]]:
        """Run all of them, and return each as it ends. What a lost host had is run elsewhere."""


@dataclass(frozen=True)
class Tally:
    """What became of a campaign's cells."""

    passed: int
    failed: int
    unfinished: int
    """Cells without a result; the same command, given again, runs them."""

    @property
    def status(self) -> Status:
        """What the command ends with: a failure is known, so it outweighs what is not."""
        if self.failed:
            return Status.FAILED
        return Status.INFRA if self.unfinished else Status.OK


def conduct(
    campaign: Campaign, results: Results, workers: Workers, say: Callable[[str], None]
) -> None:
    """Run the cells that have no result yet; ``say`` gets a line for each that ends."""
    done = results.done()
    pending = [cell for cell in campaign.cells if cell.id not in done]
    if len(pending) < len(campaign.cells):
        say(f"{len(campaign.cells) - len(pending)} cells have a result already")
    for cell, record in workers.run(pending):
        say(f"{_take(cell, record, results)}  {cell.id}  {cell.title}")


def _take(cell: CampaignCell, record: CellRecord | Lost, results: Results) -> str:
    """Keep what there is of a cell; return what to say of it."""
    if isinstance(record, Lost):
        return f"{'lost':10} {'':7}  {record.reason}"
    what = f"{record.outcome:10} {record.seconds:5.1f} s  by {record.worker} on {record.host}"
    if record.outcome is Outcome.UNFINISHED:
        return f"{what}, {record.reason}: {results.keep_unfinished(cell, record)}"
    return what if results.publish(cell, record) else f"{what}, which had a result already"


def tally(campaign: Campaign, results: Results) -> Tally:
    """Count the results there are."""
    counts = Counter(results.outcome(cell) for cell in campaign.cells)
    return Tally(counts[Outcome.PASSED], counts[Outcome.FAILED], counts[None])
