# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab spec``: what machines need, for programs."""

from __future__ import annotations

import click

from lab.config import Config


@click.command()
def spec() -> None:
    """Print as JSON what images/requirements.yaml says, boot arguments and packages resolved."""
    import json  # noqa: PLC0415 (keeps --help fast)
    from dataclasses import asdict  # noqa: PLC0415

    from lab.requirements.spec import load_requirements  # noqa: PLC0415

    needs = load_requirements(Config.from_environment().source)
    document = asdict(needs)
    document["guest"]["headers"] = dict(needs.guest.headers)
    document["guest"]["boot_arguments"] = list(needs.guest.profile.arguments)
    click.echo(json.dumps(document, indent=1))
