# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab campaign``: many test sessions, on this host or on many."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lab.config import Config
from lab.errors import Status, die


@click.command()
@click.argument("definition", type=click.Path(path_type=Path))
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the results; build/campaigns/NAME by default.",
)
@click.option(
    "--cluster",
    type=click.Path(path_type=Path),
    help="The hosts, a YAML file; without one, as many workers here as there are processors.",
)
@click.option("--dry-run", is_flag=True, help="Say which cells there are, and what they came to.")
def campaign(definition: Path, output: Path | None, cluster: Path | None, dry_run: bool) -> None:
    """Run every cell of the campaign DEFINITION that has no result yet.

    The folder of results gets one for each cell, and is a test session as a whole, so that report
    and replay take it too.
    """
    from lab.campaign.cluster import load_cluster  # noqa: PLC0415 (keeps --help fast)
    from lab.campaign.definition import load_campaign  # noqa: PLC0415
    from lab.campaign.results import Results  # noqa: PLC0415

    config = Config.from_environment()
    planned = load_campaign(definition, config.source)
    results = Results(output or config.source / "build/campaigns" / planned.name)
    hosts = load_cluster(cluster)
    if dry_run:
        for cell in planned.cells:
            click.echo(f"{results.outcome(cell) or '-':10}  {cell.id}  {cell.title}")
        return
    _require_dask()
    from lab.campaign.conduct import conduct, tally  # noqa: PLC0415
    from lab.campaign.workers import workers  # noqa: PLC0415
    from lab.machine.provenance import tree_state  # noqa: PLC0415
    from lab.report.facts import current_facts  # noqa: PLC0415

    state = tree_state(config.source)
    with results.opened({**current_facts(config), "campaign": planned.name, "source": state}):
        try:
            with workers(hosts, state) as pool:
                conduct(planned, results, pool, click.echo)
        finally:  # of what there is, an interrupted campaign's too
            session = results.summarise(planned.cells)
    counts = tally(planned, results)
    click.echo(
        f"{planned.name}: {counts.passed} passed, {counts.failed} failed, "
        f"{counts.unfinished} without a result; report: file://{session.page.resolve()}"
    )
    sys.exit(counts.status)


def _require_dask() -> None:
    try:
        import distributed  # noqa: F401, PLC0415
    except ImportError as error:
        die(
            f"Campaigns need Dask, which is not installed here: {error}.",
            "pip install --editable '.[campaign]'",
            status=Status.MISSING,
        )
