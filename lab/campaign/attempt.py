# SPDX-License-Identifier: BSD-2-Clause
"""One attempt at a cell, on the host it runs on: a pytest of its own, and its record."""

from __future__ import annotations

import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lab.campaign.definition import CampaignCell
from lab.campaign.record import CellRecord, Outcome
from lab.errors import Status, die
from lab.machine.process import Process
from lab.machine.provenance import tree_state
from lab.report.directory import Session
from lab.report.entry import Entry

CARRIED = 16 * 2**20
"""Bytes of a file that are carried at most, its end: the rest stays on its host."""
_RESULTS = {0: Outcome.PASSED, 1: Outcome.FAILED}
"""By pytest's exit status. The others say that it could not do what it was asked to."""


def attempt(cell: CampaignCell, source: Path, state: str) -> CellRecord:
    """Run a cell in the checkout ``source``, whose tree must be in ``state``.

    pytest dies with this process, and its machines with it: a worker that is lost leaves nothing
    that could still write a record. Dies with ``USAGE`` if the tree is another one.
    """
    here = tree_state(source)
    if here != state:
        die(
            f"The checkout {source} on {platform.node()} is {here or 'of unknown state'}, "
            f"the campaign's is {state}.",
            "bring all hosts to the same commit, then run the same command again",
            status=Status.USAGE,
        )
    with tempfile.TemporaryDirectory(prefix="campaign-") as name:
        directory = Path(name)
        return _run(cell, source, directory)


def _run(cell: CampaignCell, source: Path, directory: Path) -> CellRecord:
    session = Session(directory / "record")
    output = directory / "output.txt"
    started, begun = time.time(), time.monotonic()
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--color=no"]
    argv += [*cell.arguments, "--lab-record", str(session.path)]
    # -C, not a working directory of this process: a worker may have more threads than this one.
    pytest = Process(["env", "-C", str(source), *argv], output)
    pytest.start()
    try:
        ended = pytest.wait(cell.limit)
    finally:
        pytest.end()
    outcome, reason = judge(pytest.status if ended else None, session.entries(), cell.limit)
    return CellRecord(
        outcome,
        pytest.status if ended else None,
        reason,
        started,
        round(time.monotonic() - begun, 3),
        platform.node(),
        files=carried([output, *session.path.glob("*")]),
    )


def judge(status: int | None, entries: Sequence[Entry], limit: float) -> tuple[Outcome, str]:
    """Return what a session came to, and why that is no result if it is none."""
    if status is None:
        return Outcome.UNFINISHED, f"it was not done within {limit:g} s"
    if status not in _RESULTS:
        how = f"signal {-status}" if status < 0 else f"status {status}"
        return Outcome.UNFINISHED, f"pytest ended with {how}"
    broken = [entry for entry in entries if entry.verdict == "infra"]
    if broken:
        return Outcome.UNFINISHED, f"the lab failed in {broken[0].test}: {broken[0].title}"
    return _RESULTS[status], ""


def carried(files: Sequence[Path]) -> dict[str, bytes]:
    """Return the contents of files by name, of a large one its end."""
    contents = {}
    for file in files:
        with file.open("rb") as stream:
            stream.seek(max(file.stat().st_size - CARRIED, 0))
            contents[file.name] = stream.read()
    return contents
