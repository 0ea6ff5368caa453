# SPDX-License-Identifier: BSD-2-Clause
"""The folder of a campaign's results: at most one for each cell, whole or not there.

    session.json results.jsonl junit.xml report.html    the campaign, as one test session
    cells/ID/       the result of a cell: cell.json, output.txt, and the record of its session
    unfinished/ID/  the last attempt at a cell that came to no result
    incoming/       what is being written; of no use once its writer is gone

A result is written into ``incoming`` and becomes one by rename(2), which is atomic and replaces no
directory that has files in it. So of two writers one wins, whoever they are and whatever host they
are on, and what is there is never half of it.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from lab.campaign.definition import CampaignCell
from lab.campaign.record import CellRecord, Outcome
from lab.deadline import Deadline
from lab.errors import Status, die
from lab.lock import hold
from lab.report.directory import Session, create_session_in
from lab.report.entry import Entry
from lab.report.recorder import finish

_LOCK_SECONDS = 1.0
"""A campaign holds its folder for hours: who finds it held need not wait."""


class Results:
    """A folder of results. Use it inside ``opened``, which nobody else is at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def opened(self, facts: Mapping[str, object]) -> Iterator[None]:
        """Hold the folder; make it, or go on with it if it is of the same ``source``.

        ``facts`` is what the session's record says besides its tests. Dies with ``USAGE`` if the
        folder has results of another state of the tree, with ``FAILED`` if another campaign has it.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = self.path / "lock"
        with lock.open("w") as file:
            hold(file, lock, Deadline.after(_LOCK_SECONDS, "the folder of results"))
            shutil.rmtree(self._incoming, ignore_errors=True)
            for directory in (self._incoming, self.path / "cells", self.path / "unfinished"):
                directory.mkdir(exist_ok=True)
            self._go_on(facts)
            yield

    def done(self) -> frozenset[str]:
        """Return the identities of the cells that have a result."""
        return frozenset(path.parent.name for path in self.path.glob("cells/*/cell.json"))

    def outcome(self, cell: CampaignCell) -> Outcome | None:
        """Return what a cell came to; None while it has no result."""
        description = self.directory(cell) / "cell.json"
        if not description.exists():
            return None
        return Outcome(json.loads(description.read_text(encoding="utf-8"))["outcome"])

    def directory(self, cell: CampaignCell) -> Path:
        """Return where the result of a cell is, once there is one."""
        return self.path / "cells" / cell.id

    def publish(self, cell: CampaignCell, record: CellRecord) -> bool:
        """Make a record the result of a cell; False if the cell has one, which then stays."""
        written = self._write(cell, record)
        try:
            written.rename(self.directory(cell))
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(written)
            return False
        shutil.rmtree(self.path / "unfinished" / cell.id, ignore_errors=True)
        return True

    def keep_unfinished(self, cell: CampaignCell, record: CellRecord) -> Path:
        """Keep the record of an attempt without a result, in place of an earlier one's."""
        target = self.path / "unfinished" / cell.id
        written = self._write(cell, record)
        shutil.rmtree(target, ignore_errors=True)
        written.rename(target)
        return target

    def summarise(self, cells: Sequence[CampaignCell]) -> Session:
        """Make one session of the results there are of ``cells``, with its page."""
        session = Session(self.path)
        lines = []
        for cell in cells:
            of_cell = Session(self.directory(cell))
            lines += [_placed(entry, cell).to_line() for entry in of_cell.entries()]
        written = self._incoming / session.results.name
        written.write_text("".join(lines), encoding="utf-8")
        written.rename(session.results)
        finish(session)
        return session

    @property
    def _incoming(self) -> Path:
        return self.path / "incoming"

    def _go_on(self, facts: Mapping[str, object]) -> None:
        session = Session(self.path)
        if not (self.path / "session.json").exists():
            create_session_in(self.path, facts)
        elif session.facts.get("source") != facts.get("source"):
            die(
                f"{self.path} has results of another state of the tree: "
                f"{session.facts.get('source')}, it is {facts.get('source')}.",
                "give the same command another folder: --output FOLDER",
                status=Status.USAGE,
            )

    def _write(self, cell: CampaignCell, record: CellRecord) -> Path:
        """Write a record where it is nobody's result yet, to the disk and not to its cache only."""
        directory = Path(tempfile.mkdtemp(prefix=f"{cell.id}-", dir=self._incoming))
        directory.chmod(0o755)
        about = {"cell": cell.title, "tests": cell.tests, "options": dict(cell.options)}
        description = json.dumps({**about, **record.facts()}, indent=2) + "\n"
        for name, content in {**record.files, "cell.json": description.encode()}.items():
            with (directory / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        return directory


def _placed(entry: Entry, cell: CampaignCell) -> Entry:
    """Return an entry whose kind of machine says the seed too, if seeds are an axis.

    Else of twenty seeds the table of tests and kinds of machines would show the last one's verdict.
    """
    seed = dict(cell.options).get("seed")
    if seed is None or not entry.cell:
        return entry
    kind = f"{entry.cell}/seed-{seed}"
    return replace(entry, cell=kind, test=entry.test.replace(entry.cell, kind))
