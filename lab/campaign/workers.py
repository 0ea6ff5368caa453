# SPDX-License-Identifier: BSD-2-Clause
"""Cells as tasks of Dask: the one module that knows it, and is imported only where it is used.

Dask runs a task again, elsewhere, when the worker that had it is lost, and gives up when that has
happened four times (``distributed.scheduler.allowed-failures``). A worker that it wrongly thinks
lost may still bring its record; which of two becomes the result is decided in ``results.py``.
"""

from __future__ import annotations

import importlib
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

import distributed

from lab.campaign.attempt import attempt
from lab.campaign.cluster import Cluster
from lab.campaign.conduct import Lost
from lab.campaign.definition import CampaignCell
from lab.campaign.record import CellRecord
from lab.config import Config
from lab.errors import LabError, Status, die

_LOOK = 5.0
"""Seconds between two looks at whether there are workers, while no cell ends."""
_AGAIN = "run the same command again: it goes on with the cells that have no result"


@dataclass(frozen=True)
class Refusal:
    """An error of the lab's that concerns the whole campaign, as it travels: errors do not."""

    message: str
    hint: str
    status: Status


@contextmanager
def workers(cluster: Cluster, state: str) -> Iterator[DaskWorkers]:
    """Start the cluster, or find it; it ends with the body, unless it was there before.

    ``state`` is that of the tree, which must be the workers'. Dies with ``MISSING`` if there is no
    such cluster.
    """
    # Of a lost worker it tells each task that is run again. The campaign tells what comes of it.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with ExitStack() as stack:
        try:
            client = _connect(cluster, stack)
        except Exception as error:  # a constructor of somebody else's, with arguments of the user's
            what = cluster.address or f"{cluster.module}.{cluster.constructor}"
            die(
                f"The cluster {what} is not to be had: {str(error) or type(error).__name__}.",
                "check the file given as --cluster, and that its hosts can be reached",
                status=Status.MISSING,
            )
        yield DaskWorkers(client, state, cluster.patience)


def _connect(cluster: Cluster, stack: ExitStack) -> distributed.Client:
    """Return a client; ``stack`` ends what was begun, also where the rest fails."""
    if cluster.address:
        return stack.enter_context(distributed.Client(cluster.address, timeout=cluster.patience))
    constructor = getattr(importlib.import_module(cluster.module), cluster.constructor)
    made = stack.enter_context(constructor(**cluster.arguments))
    return stack.enter_context(distributed.Client(made))


class DaskWorkers:
    """Runs cells by a client of Dask's."""

    def __init__(self, client: distributed.Client, state: str, patience: float) -> None:
        self._client = client
        self._state = state
        self._patience = patience
        self._seen = time.monotonic()

    def run(
        self, cells: Sequence[CampaignCell]
    ) -> Iterator[tuple[CampaignCell, CellRecord | Lost]]:
        """Run cells; as ``conduct.Workers`` says. Dies with ``INFRA`` if there is nobody left."""
        futures = {
            self._client.submit(carry, cell, self._state, key=f"cell-{cell.id}", pure=False): cell
            for cell in cells
        }
        try:
            while futures:
                for future in self._ended(tuple(futures)):
                    yield futures.pop(future), _record_of(future)
        finally:
            self._client.cancel(list(futures))

    def _ended(self, futures: Sequence[distributed.Future]) -> set[distributed.Future]:
        """Wait until some of these have ended, or for a while."""
        try:
            return set(distributed.wait(futures, _LOOK, "FIRST_COMPLETED").done)
        except distributed.TimeoutError:
            self._look_for_workers()
            return set()
        except distributed.CancelledError:
            die("Dask's scheduler is gone.", _AGAIN, status=Status.INFRA)

    def _look_for_workers(self) -> None:
        now = time.monotonic()
        if self._client.nthreads():
            self._seen = now
        elif now - self._seen > self._patience:
            die(f"No worker since {self._patience:g} s.", _AGAIN, status=Status.INFRA)


def carry(cell: CampaignCell, state: str) -> CellRecord | Refusal:
    """Run a cell here, in a worker of Dask's, whose checkout is the one this module is of."""
    try:
        record = attempt(cell, Config.from_environment().source, state)
    except LabError as error:
        return Refusal(error.message, error.hint, error.status)
    return replace(record, worker=str(distributed.get_worker().name))


def _record_of(future: distributed.Future) -> CellRecord | Lost:
    error = future.exception()
    if error is not None:
        return Lost(f"{type(error).__name__}: {error}")
    record: CellRecord | Refusal = future.result()
    if isinstance(record, Refusal):
        die(record.message, record.hint, status=record.status)
    return record
