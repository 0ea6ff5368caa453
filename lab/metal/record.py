# SPDX-License-Identifier: BSD-2-Clause
"""What a run on metal leaves beside its results: the machine, and what it came to."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lab.machine.provenance import git_state
from lab.metal.facts import MetalFacts, doubts
from lab.report.brief import brief
from lab.report.directory import Session

HOST, SUMMARY, SUITES, BENCH = "host.json", "summary.md", "suites", "bench"


@dataclass(frozen=True)
class Step:
    """A command that was run, and the status with which it ended."""

    command: str
    status: int
    seconds: float


@dataclass
class MetalRecord:
    """Written anew after each step, so that a machine that goes down leaves how far it came."""

    output: Path
    facts: MetalFacts
    source: Path
    engine: str = ""
    pinned: Sequence[int] = ()
    refused: str = ""
    """Why nothing was run."""
    steps: list[Step] = field(default_factory=list)

    def write(self) -> None:
        """Write both files."""
        self.output.mkdir(parents=True, exist_ok=True)
        document = {
            "written": time.strftime("%Y-%m-%d %H:%M:%S %z"),
            "git": git_state(self.source),
            "engine": self.engine,
            "pinned": list(self.pinned),
            "refused": self.refused,
            "host": asdict(self.facts),
            "doubts": doubts(self.facts),
            "steps": [asdict(step) for step in self.steps],
        }
        (self.output / HOST).write_text(json.dumps(document, indent=1) + "\n")
        (self.output / SUMMARY).write_text(self._summary())

    def _summary(self) -> str:
        facts = self.facts
        name = facts.processor or "a processor without a name"
        text = f"**{name}**, microcode {facts.microcode or 'unknown'}, Linux {facts.kernel}\n\n"
        text += "".join(f"- {doubt}\n" for doubt in doubts(facts)) + "\n"
        if self.refused:
            return text + f"Nothing was run. {self.refused}\n"
        pinned = ", ".join(map(str, self.pinned))
        text += f"On {self.engine}, pinned to processors {pinned}.\n\n"
        text += "| step | status | seconds |\n|---|---|---|\n"
        for step in self.steps:
            text += f"| `{step.command}` | {step.status} | {step.seconds:.0f} |\n"
        session = Session(self.output / SUITES)
        return text + ("\n" + brief([session]) if session.results.exists() else "")
