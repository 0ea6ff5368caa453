# SPDX-License-Identifier: BSD-2-Clause
"""Commands on machines that run: ``ps``, ``ssh``, ``console``, ``gdb``, ``trace``, ``down``, ...

An ID may be cut short as long as it is clear, and left out if only one machine runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from lab.config import DEFAULT_IMAGE, DEFAULT_PROFILE, Config

if TYPE_CHECKING:
    from lab.live.machines import LiveMachine

# Whatever stands behind the ID belongs to ssh or gdb, dashes and all; so -h is not ours either.
_PASSED_ON = {
    "ignore_unknown_options": True,
    "allow_interspersed_args": False,
    "help_option_names": ["--help"],
}


@click.command()
def ps() -> None:
    """List the machines that run: whose, for how long, how to reach them."""
    from rich.console import Console  # noqa: PLC0415 (keeps --help fast)

    from lab.live.machines import live_machines  # noqa: PLC0415
    from lab.live.table import table_of  # noqa: PLC0415

    machines = live_machines(Config.from_environment().runs)
    if not machines:
        click.echo("No machine is running.")
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a reader that is a program wants whole lines
    console.print(table_of(machines))


@click.command(context_settings=_PASSED_ON)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[ID] [COMMAND]...")
def ssh(words: tuple[str, ...]) -> None:
    """Log in to a guest, or run a command in it."""
    machine, command = _chosen(words)
    _become("ssh", "-F", str(machine.directory / "ssh_config"), "guest", *command)


@click.command()
@click.argument("id", required=False)
@click.option("--no-follow", is_flag=True, help="End at the end of what there is.")
def console(id: str | None, no_follow: bool) -> None:  # noqa: A002 (click's name for it)
    """Show a guest's console from the beginning, and go on until the machine ends."""
    from lab.live.follow import follow  # noqa: PLC0415

    machine, _ = _chosen((id,) if id else (), strict=True)
    follow(machine, sys.stdout.buffer, forever=not no_follow)


@click.command(context_settings=_PASSED_ON)
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[ID] [GDB ARGUMENT]...")
def gdb(words: tuple[str, ...]) -> None:
    """Stop a guest and look at it with gdb; it goes on when gdb ends."""
    from lab.live.gdb import stub  # noqa: PLC0415

    _require("gdb")
    machine, arguments = _chosen(words)
    with stub(machine.directory) as script:
        done = subprocess.run(["gdb", "-q", "-nx", "-x", str(script), *arguments], check=False)
    sys.exit(done.returncode)


@click.command()
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[ID] [-- COMMAND...]")
@click.option("--events", help="Of entry, exit, fault, notifier, inject; all without it.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="How long; 10 without it.")
def trace(words: tuple[str, ...], events: str | None, seconds: float | None) -> None:
    """Show what dune.ko does in a guest, while a command runs there or for a time."""
    from lab.live import trace as tracing  # noqa: PLC0415

    chosen = tracing.chosen_events(events)
    _require("ssh")
    machine, command = _chosen(words)
    if command and seconds is not None:
        raise click.UsageError("give --seconds or a command; the trace ends with the command.")
    sys.stdout.flush()
    sys.exit(tracing.trace(machine.directory, chosen, command, seconds or tracing.SECONDS))


@click.command()
@click.argument("id", required=False)
@click.option("--all", "everything", is_flag=True, help="All of them.")
def down(id: str | None, everything: bool) -> None:  # noqa: A002
    """End a machine; its owner, if it still lives, sees that as the guest's death."""
    from lab.live.down import end  # noqa: PLC0415
    from lab.live.machines import live_machines  # noqa: PLC0415

    if everything:
        machines = live_machines(Config.from_environment().runs)
    else:
        machines = (_chosen((id,) if id else (), strict=True)[0],)
    for machine in machines:
        click.echo(f"{machine.id} {'has ended' if end(machine) else 'cannot be ended'}")


@click.command()
@click.option("--image", default=DEFAULT_IMAGE, show_default=True, help="A file in images/.")
@click.option("--engine", default=None, help="svm-tcg, svm-kvm or vmx-kvm.")
@click.option("--profile", default=DEFAULT_PROFILE, show_default=True, help="Boot arguments.")
@click.option("--load", is_flag=True, help="Load dune.ko too.")
@click.option(
    "--system",
    help="Instead: a whole Debian as it is installed, a file in images/systems/, with nothing of "
    "ours in it. As root.",
)
def up(image: str, engine: str | None, profile: str, load: bool, system: str | None) -> None:
    """Boot a guest and keep it until Ctrl-C or `dbos-lab down`."""
    from lab.lab import Lab  # noqa: PLC0415
    from lab.live.up import stay_up, system_stays_up  # noqa: PLC0415
    from lab.progress import Progress  # noqa: PLC0415

    lab = Lab(Config.from_environment(), image_name=image, engine_name=engine)
    if system is None:
        stay_up(lab, profile, Progress(), load=load)
    elif load:
        raise click.UsageError("--load is of no use with --system, which has no module.")
    else:
        system_stays_up(lab, system, Progress())


@click.command()
@click.option("--list", "everything", is_flag=True, help="All machines; the default.")
@click.option("--host", metavar="ID", help="The variables of one.")
def inventory(everything: bool, host: str | None) -> None:
    """Print the machines that run as an inventory for Ansible."""
    import json  # noqa: PLC0415

    from lab.live.inventory import inventory as inventory_of  # noqa: PLC0415
    from lab.live.inventory import variables  # noqa: PLC0415
    from lab.live.machines import choose, live_machines  # noqa: PLC0415

    if everything and host is not None:
        raise click.UsageError("--list means all machines, and --host one of them.")
    machines = live_machines(Config.from_environment().runs)
    found = inventory_of(machines) if host is None else variables(choose(machines, host))
    click.echo(json.dumps(found, indent=1))


COMMANDS = (up, ps, ssh, console, gdb, trace, down, inventory)


def _chosen(words: tuple[str, ...], *, strict: bool = False) -> tuple[LiveMachine, tuple[str, ...]]:
    """Split what was typed into the machine that is meant and the rest.

    The first word is an ID if some machine's begins with it; ``strict``: whatever it is.
    """
    from lab.live.machines import choose, live_machines, matching  # noqa: PLC0415

    machines = live_machines(Config.from_environment().runs)
    if words and (strict or matching(machines, words[0])):
        return choose(machines, words[0]), words[1:]
    return choose(machines, None), words


def _become(program: str, *arguments: str) -> NoReturn:
    """Replace this process: the program gets the terminal, its status is ours."""
    _require(program)
    sys.stdout.flush()
    os.execvp(program, (program, *arguments))


def _require(program: str) -> None:
    from lab.errors import Status, die  # noqa: PLC0415

    if shutil.which(program) is None:
        die(f"{program} is not installed.", "make setup  # installs it", status=Status.MISSING)
