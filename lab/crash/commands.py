# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab crash``: the stack of a panic, with file and line, from its directory alone."""

from __future__ import annotations

from pathlib import Path

import click

from lab.config import Config


@click.command()
@click.argument("directory", required=False, type=click.Path(exists=True, path_type=Path))
def crash(directory: Path | None) -> None:
    """Print the stack a guest panicked with. DIRECTORY: the newest kept one if not given."""
    from lab.crash.kit import decoded_stack  # noqa: PLC0415 (keeps --help fast)

    directory = directory or _newest(Config.from_environment().runs)
    click.echo(decoded_stack(directory), nl=False)
    left = [path.name for path in sorted(directory.iterdir()) if not path.name.startswith(".")]
    click.echo(f"\n{directory}: {', '.join(left)}")


def _newest(runs: Path) -> Path:
    from lab.crash.kit import STACK  # noqa: PLC0415
    from lab.errors import Status, die  # noqa: PLC0415

    kept = sorted(path.parent for path in runs.glob(f"*/{STACK}"))
    if not kept:
        die(
            f"No panic is kept below {runs}.",
            "dbos-lab crash DIRECTORY",
            status=Status.USAGE,
        )
    return kept[-1]
