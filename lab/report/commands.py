# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab report`` and ``dbos-lab replay``: what was, and once more."""

from __future__ import annotations

import sys

import click

from lab.config import Config


@click.command()
@click.argument("session", required=False)
@click.option("--summary", is_flag=True, help="Markdown instead, of all sessions if none is named.")
def report(session: str | None, summary: bool) -> None:
    """Make the page of a test SESSION again, also of one that was killed; the last by default."""
    from lab.report.brief import brief  # noqa: PLC0415 (keeps --help fast)
    from lab.report.directory import all_sessions, find_session  # noqa: PLC0415
    from lab.report.recorder import finish  # noqa: PLC0415

    sessions = Config.from_environment().sessions
    if summary:
        named = [find_session(sessions, session)] if session else all_sessions(sessions)
        click.echo(brief(named), nl=False)
        return
    found = find_session(sessions, session)
    finish(found)
    click.echo(found.page)


@click.command()
@click.argument("session", required=False)
@click.argument("part", required=False)
def replay(session: str | None, part: str | None) -> None:
    """Run the tests of SESSION that were not good again, or those with PART in their id.

    Each runs as it did: image, engine, boot profile, processors and seed. What has changed since,
    of the tree and of the images, is told first.
    """
    from lab.report.directory import find_session  # noqa: PLC0415
    from lab.report.facts import current_facts  # noqa: PLC0415
    from lab.report.replay import chosen, differences  # noqa: PLC0415
    from lab.report.replay import replay as run_again  # noqa: PLC0415

    config = Config.from_environment()
    found = find_session(config.sessions, session)
    tests = chosen(found.entries(), part)
    for difference in differences(found.facts, current_facts(config)):
        click.echo(f"note: {difference}", err=True)
    sys.exit(run_again(tests, config.source))


COMMANDS = (report, replay)
