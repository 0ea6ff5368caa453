# SPDX-License-Identifier: BSD-2-Clause
"""The directory of a session: ``session.json``, ``results.jsonl``, ``junit.xml``, ``report.html``.

The first is written when the session begins and the second as it goes, so a session that was
killed leaves both; the other two are made from them, at its end or by ``dbos-lab report``.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab.errors import Status, die, unknown_name
from lab.report.entry import Entry, read_entries

KEPT = 20
"""Sessions that are kept; older ones are removed when a new one begins."""


@dataclass(frozen=True)
class Session:
    """A session's directory."""

    path: Path

    @property
    def results(self) -> Path:
        """One line per test, in the order in which they ended."""
        return self.path / "results.jsonl"

    @property
    def junit(self) -> Path:
        """For continuous integration."""
        return self.path / "junit.xml"

    @property
    def page(self) -> Path:
        """For people."""
        return self.path / "report.html"

    @property
    def facts(self) -> Mapping[str, object]:
        """What the session ran on and with."""
        facts: Mapping[str, object] = json.loads((self.path / "session.json").read_text())
        return facts

    def entries(self) -> tuple[Entry, ...]:
        """Return what is known of the tests that have ended."""
        return read_entries(self.results) if self.results.exists() else ()


def create_session(sessions: Path, facts: Mapping[str, object]) -> Session:
    """Make the directory of a new session below ``sessions``; remove the oldest beyond ``KEPT``."""
    sessions.mkdir(parents=True, exist_ok=True)
    for old in _all(sessions)[: -(KEPT - 1)]:
        shutil.rmtree(old, ignore_errors=True)
    # Names sort by age, also of those that begin in one second; mkdtemp makes them unique.
    now = datetime.now().astimezone()
    path = Path(tempfile.mkdtemp(prefix=f"{now:%Y%m%d-%H%M%S-%f}-", dir=sessions))
    return create_session_in(path, facts)


def create_session_in(path: Path, facts: Mapping[str, object]) -> Session:
    """Make ``path`` the directory of a new session; it may be there already, without one."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "session.json").write_text(json.dumps(facts, indent=2) + "\n")
    return Session(path)


def find_session(sessions: Path, name: str | None) -> Session:
    """Return a session by its path, its name or the beginning of that; the last one by default."""
    if name is not None and (Path(name) / "session.json").exists():
        return Session(Path(name))
    known = _all(sessions)
    if not known:
        die(
            f"There is no session below {sessions}.",
            "pytest lab  # makes one",
            status=Status.USAGE,
        )
    if name is None:
        return Session(known[-1])
    fitting = [path for path in known if path.name.startswith(name)]
    if len(fitting) != 1:
        unknown_name("session", name, [path.name for path in known])
    return Session(fitting[0])


def all_sessions(sessions: Path) -> list[Session]:
    """Return all of them, the oldest first."""
    return [Session(path) for path in _all(sessions)]


def _all(sessions: Path) -> list[Path]:
    return sorted(path.parent for path in sessions.glob("*/session.json"))
