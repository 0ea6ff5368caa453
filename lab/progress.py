# SPDX-License-Identifier: BSD-2-Clause
"""Stages with their elapsed time: a live list on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.live import Live
from rich.text import Text


@dataclass
class Stage:
    """One line of the list. ``note`` may be changed while the stage runs ("cached", "412 MB")."""

    title: str
    started: float
    note: str = ""
    seconds: float | None = None
    failed: bool = False

    @property
    def elapsed(self) -> float:
        """Seconds so far, or in total once the stage has ended."""
        return time.monotonic() - self.started if self.seconds is None else self.seconds


@dataclass
class Progress:
    """The stages of one run, in order. Safe to use from one thread only."""

    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    stages: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, title: str) -> Iterator[Stage]:
        """Run a stage: shown while it runs, timed, marked failed if the body raises."""
        stage = Stage(title, time.monotonic())
        self.stages.append(stage)
        try:
            if self.console.is_terminal:
                with Live(
                    get_renderable=lambda: _line(stage), console=self.console, transient=True
                ):
                    yield stage
            else:
                self.console.print(f"{title} ...")
                yield stage
        except BaseException:
            stage.failed = True
            raise
        finally:
            stage.seconds = stage.elapsed
            self.console.print(_line(stage), soft_wrap=True)


def _line(stage: Stage) -> Text:
    if stage.failed:
        mark, style = "failed", "bold red"
    elif stage.seconds is None:
        mark, style = "  ... ", "yellow"
    else:
        mark, style = "    ok", "green"
    line = Text(f"{mark} ", style=style)
    line.append(f"{stage.elapsed:7.1f} s  {stage.title}", style="default")
    if stage.note:
        line.append(f"  ({stage.note})", style="dim")
    return line
