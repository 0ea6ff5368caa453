# SPDX-License-Identifier: BSD-2-Clause
"""The command ``dbos-lab``. The one place that turns errors into text and a process status."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from lab.cache.commands import cache
from lab.campaign.commands import campaign
from lab.compare.commands import compare
from lab.config import DEFAULT_PROFILE, Config
from lab.conformance.commands import matrix
from lab.crash.commands import crash
from lab.errors import LabError, Status
from lab.image.commands import image_group, image_option
from lab.live.commands import COMMANDS as LIVE_COMMANDS
from lab.report.commands import COMMANDS as REPORT_COMMANDS
from lab.requirements.commands import spec


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Boot a machine, make a process in it privileged, and see what that buys."""


_engine_option = click.option(
    "--engine", default=None, help="svm-tcg, svm-kvm or vmx-kvm instead of the best that boots."
)


@cli.group(invoke_without_command=True)
@image_option
@_engine_option
@click.option(
    "--profile", default=DEFAULT_PROFILE, show_default=True, help="Boot arguments: seed or stock."
)
@click.pass_context
def run(context: click.Context, image: str, engine: str | None, profile: str) -> None:
    """Boot a guest, load dune.ko and run hello at CPL 0; or a larger program, by its name."""
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console  # noqa: PLC0415 (keeps --help fast)

    from lab.lab import Lab  # noqa: PLC0415
    from lab.progress import Progress  # noqa: PLC0415
    from lab.run import run_hello, table_of  # noqa: PLC0415

    lab = Lab(Config.from_environment(), image_name=image, engine_name=engine)
    report = run_hello(lab, profile, Progress())
    console = Console(highlight=False)
    click.echo(report.hello.output)
    console.print(table_of(report))


@run.command()
@_engine_option
@click.option("--mib", default=256, show_default=True, type=click.IntRange(1), help="Of values.")
@click.option("--rate", default=500, show_default=True, help="Requests a second.")
@click.option("--output", default=Path("build/redis"), type=click.Path(path_type=Path))
def redis(engine: str | None, mib: int, rate: int, output: Path) -> None:
    """Save Redis under load, by fork and on a snapshot: who waited how long."""
    from rich.console import Console  # noqa: PLC0415 (keeps --help fast)

    from lab.bench.redis.server import IMAGE  # noqa: PLC0415
    from lab.bench.redis.show import run_redis, table_of, write_drawing  # noqa: PLC0415
    from lab.lab import Lab  # noqa: PLC0415
    from lab.progress import Progress  # noqa: PLC0415

    lab = Lab(Config.from_environment(), image_name=IMAGE, engine_name=engine)
    saves = run_redis(lab, mib, rate, Progress())
    title = f"A BGSAVE of {mib} MiB at {rate} requests a second, {lab.engine.name}"
    Console(highlight=False).print(table_of(saves, f"{title}; milliseconds"))
    drawing = output / f"{lab.engine.name}.svg"
    write_drawing(saves, title, drawing)
    click.echo(f"drawing: {drawing}")


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="The same, for programs.")
@click.option(
    "--require",
    multiple=True,
    type=click.Choice(["svm", "vmx", "kvm"]),
    help="End with status 3 unless an engine with this boots here.",
)
@click.option("--host", help="Instead: can that machine load dune.ko? A name for ssh.")
@click.option(
    "--ssh-config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --host: ssh's -F.",
)
def doctor(
    as_json: bool, require: tuple[str, ...], host: str | None, ssh_config: Path | None
) -> None:
    """Say which engines boot here, what they offer, and what is missing."""
    if host is not None:
        from lab.doctor.remote import main_remote  # noqa: PLC0415

        if require:
            raise click.UsageError("--require asks for engines of this machine, not of --host.")
        sys.exit(main_remote(Config.from_environment(), host, ssh_config, as_json=as_json))
    if ssh_config is not None:
        raise click.UsageError("--ssh-config is of use with --host only.")
    from lab.doctor.report import main_report  # noqa: PLC0415

    sys.exit(main_report(Config.from_environment(), as_json=as_json, require=require))


COMMANDS = (image_group, cache, campaign, compare, crash, matrix, spec)
for command in (*COMMANDS, *LIVE_COMMANDS, *REPORT_COMMANDS):
    cli.add_command(command)


def main(command: click.Command = cli) -> None:
    """Entry point of the console script, and of what has one of its own: the measurements."""
    try:
        status = command(standalone_mode=False)
    except LabError as error:
        _complain(error)
        status = error.status
    except click.ClickException as error:
        error.show()
        status = Status.USAGE
    except (KeyboardInterrupt, click.Abort):
        # click turns the former into the latter.
        click.echo("\nInterrupted; nothing was left running, and the cache is intact.", err=True)
        status = Status.INTERRUPTED
    except BrokenPipeError:
        # Our reader has gone, as in `dbos-lab doctor | head -1`; say nothing, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = Status.FAILED
    sys.exit(int(status or 0))


def _complain(error: LabError) -> None:
    click.echo(click.style("error: ", fg="red", bold=True) + error.message, err=True)
    click.echo(f"  next: {error.hint}", err=True)
    if error.detail:
        click.echo(f"\n{error.detail.rstrip()}", err=True)
