# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab campaign`` as a user types it, and what it leaves."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml
from wait import SECONDS

from lab.campaign.definition import load_campaign

ROOT = Path(__file__).parents[2]
COUNTED = "tests/campaign/counted.py"


class Command:
    """The command with a definition, a cluster, and one folder for results."""

    def __init__(self, directory: Path, cells: list[dict[str, str]], cluster: object) -> None:
        self.output = directory / "results"
        definition, description = directory / "campaign.yaml", directory / "cluster.yaml"
        definition.write_text(yaml.safe_dump({"name": "proof", "limit": SECONDS, "cells": cells}))
        description.write_text(yaml.safe_dump(cluster))
        self.cells = load_campaign(definition, ROOT).cells
        self._log = directory / "campaign.log"
        self._argv = [sys.executable, "-c", "from lab.cli import main; main()", "campaign"]
        self._argv += [str(definition), "--cluster", str(description), "--output", str(self.output)]

    def start(self) -> subprocess.Popen[bytes]:
        """Start it; what it says is added to what it said before."""
        with self._log.open("ab") as log:
            return subprocess.Popen(self._argv, cwd=ROOT, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        """All that it ever said."""
        return self._log.read_text()

    def results(self) -> dict[str, dict[str, object]]:
        """Return the descriptions of the results there are, by the cells' identities."""
        found = self.output.glob("cells/*/cell.json")
        return {path.parent.name: json.loads(path.read_text()) for path in found}

    def files(self, cells: set[str]) -> dict[Path, tuple[int, int, bytes]]:
        """Return what identifies each file of these results: a new one has another inode."""
        return {
            path: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
            for cell in cells
            for path in (self.output / "cells" / cell).iterdir()
        }
