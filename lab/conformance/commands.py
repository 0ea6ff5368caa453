# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab matrix``: conformance on all engines, side by side."""

from __future__ import annotations

import sys

import click

from lab.config import Config
from lab.errors import Status, die

ENGINES = ("svm-tcg", "vmx-bochs", "svm-bochs")
"""Those that any host can run."""


@click.command()
@click.argument("engines", nargs=-1)
def matrix(engines: tuple[str, ...]) -> None:
    """Print what conformance came to when it last ran on ENGINES; by default on all emulators."""
    from rich.console import Console  # noqa: PLC0415 (keeps --help fast)

    from lab.conformance.matrix import is_good, matrix_of, reasons_of  # noqa: PLC0415
    from lab.conformance.outcome import read_outcomes  # noqa: PLC0415

    directory = Config.from_environment().conformance
    outcomes = {}
    for engine in engines or ENGINES:
        found = read_outcomes(directory, engine)
        if found is None:
            die(
                f"Conformance has not been run on {engine}.",
                f"pytest lab/suites/test_conformance.py --lab-engine {engine}",
                status=Status.FAILED,
            )
        outcomes[engine] = found
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 100
    console.print(matrix_of(outcomes))
    for line in reasons_of(outcomes):
        click.echo(line)
    sys.exit(0 if is_good(outcomes) else Status.FAILED)
