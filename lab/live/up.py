# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab up``: a machine that stays until it is told to go."""

from __future__ import annotations

import contextlib

import click

from lab.crash.kit import decoded_stack
from lab.deploy import MODULE, load_module
from lab.errors import LabError
from lab.lab import Lab
from lab.machine.machine import Machine
from lab.progress import Progress
from lab.run import note_on
from lab.system.machine import booted_system


def stay_up(lab: Lab, profile_name: str, progress: Progress, *, load: bool) -> None:
    """Boot, deploy, and wait for Ctrl-C, ``dbos-lab down`` or the guest's own end."""
    profile = lab.profile(profile_name)
    with progress.stage(f"Guest image {lab.image_spec.name}") as stage:
        lab.report = note_on(stage)
        stage.note = lab.image.summary
    with progress.stage("Compile module, library and programs") as stage:
        lab.report = note_on(stage)
        _ = lab.artefacts
    with lab.booted(profile) as booted:
        machine = booted.machine
        machine.claim("dbos-lab up")
        lab.deploy_to(booted.guest)
        if load:
            load_module(booted.guest, MODULE)
        click.echo(f"{_id(machine)} is up. Elsewhere: dbos-lab ssh, console, gdb. Ctrl-C ends it.")
        try:
            _stay(machine)
        except KeyboardInterrupt:
            click.echo("")
    click.echo(f"{_id(machine)} has ended")


def system_stays_up(lab: Lab, system: str, progress: Progress) -> None:
    """Boot a whole system and wait likewise; what it writes is gone with it."""
    with contextlib.ExitStack() as stack:
        with progress.stage(f"Boot {system}") as stage:
            lab.report = note_on(stage)
            machine = stack.enter_context(booted_system(lab, system)).machine
        machine.claim("dbos-lab up")
        click.echo(f"{_id(machine)} is up. Elsewhere: dbos-lab ssh, console, down. Ctrl-C ends it.")
        try:
            _stay(machine)
        except KeyboardInterrupt:
            click.echo("")
    click.echo(f"{_id(machine)} has ended")


def _stay(machine: Machine) -> None:
    while machine.alive and not machine.wait_end(0.2):
        pass
    if not machine.panicked:
        return
    error = machine.lost("while it was up")
    click.echo(error.message, err=True)
    directory = machine.crash_kit()
    try:
        click.echo(decoded_stack(directory), err=True)
    except LabError as unknown:
        click.echo(unknown.message, err=True)
    click.echo(f"It stands still for dbos-lab gdb; kept: {directory}", err=True)
    while not machine.wait_end(1.0):
        pass


def _id(machine: Machine) -> str:
    return machine.directory.name.rpartition("-")[2]
