# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab cache``: what is stored on this host, and giving some of it up."""

from __future__ import annotations

import click

from lab.config import Config

DAYS = 30
MEBIBYTE = 2**20


@click.group(invoke_without_command=True)
@click.pass_context
def cache(context: click.Context) -> None:
    """Say what the lab has stored on this host, and how much of it."""
    if context.invoked_subcommand is not None:
        return
    from lab.cache.contents import REMOVABLE, entries, size_of  # noqa: PLC0415 (fast --help)

    config = Config.from_environment()
    total = 0
    directories = sorted(config.cache.iterdir()) if config.cache.is_dir() else []
    for directory in (path for path in directories if path.is_dir()):
        size = size_of(directory)
        total += size
        count = f"{len(entries(config, directory.name))} entries"
        what = count if directory.name in REMOVABLE else "never pruned"
        click.echo(f"{size / MEBIBYTE:8.0f} MiB  {directory.name:10} {what}")
    click.echo(f"{total / MEBIBYTE:8.0f} MiB  in {config.cache}")


@cache.command()
@click.option("--days", default=DAYS, show_default=True, type=click.IntRange(min=1))
def prune(days: int) -> None:
    """Remove what nobody used for so many days; packages that a lock names are kept."""
    from lab.cache.contents import prune as prune_cache  # noqa: PLC0415

    removed = prune_cache(Config.from_environment(), days)
    for entry in removed:
        click.echo(f"{entry.size / MEBIBYTE:8.0f} MiB  {entry.path.parent.name}/{entry.path.name}")
    click.echo(f"{sum(entry.size for entry in removed) / MEBIBYTE:8.0f} MiB  removed")
