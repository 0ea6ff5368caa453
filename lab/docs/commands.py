# SPDX-License-Identifier: BSD-2-Clause
"""The reference of ``dbos-lab``, from what click knows of it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from lab.docs.table import table

NAME = "dbos-lab"


def commands_page(root: click.Group) -> str:
    """Return one page with every command."""
    title = f"# The command `{NAME}`"
    return "\n".join([title, "", *(line for each in walk(root) for line in _command(each))])


def walk(root: click.Group) -> Iterator[click.Context]:
    """Yield the context of every command, groups before what is in them."""
    yield from _walk(_context(root, NAME, None))


def _walk(context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(context.command, click.Group):
        for name, command in sorted(context.command.commands.items()):
            yield from _walk(_context(command, name, context))


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _command(context: click.Context) -> Iterator[str]:
    command = context.command
    if context.parent is not None:
        depth = context.command_path.count(" ")
        yield f"{'#' * (depth + 1)} {context.command_path}"
        yield ""
    yield " ".join((command.help or "").split())
    yield ""
    yield f"```\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```"
    yield ""
    records = [
        record
        for parameter in command.get_params(context)
        if (record := parameter.get_help_record(context)) is not None
    ]
    yield table(("option", "meaning"), [(f"`{flags}`", text) for flags, text in records])
