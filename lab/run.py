# SPDX-License-Identifier: BSD-2-Clause
"""From nothing to a privileged process, stage by stage: what ``make run`` shows."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from rich.table import Table

from lab.deploy import DIRECTORY, MODULE, load_module, unload_module
from lab.errors import Status, die
from lab.guest import Guest
from lab.lab import Booted, Lab
from lab.progress import Progress, Stage


@dataclass(frozen=True)
class HelloReport:
    """What ``hello`` says of itself in its last line."""

    output: str
    cpl: int
    syscalls: int
    world_switches: int


@dataclass(frozen=True)
class RunReport:
    """Everything the closing table shows."""

    engine: str
    kernel: str
    image_digest: str
    boot_arguments: str
    module: str
    hello: HelloReport
    stages: tuple[Stage, ...]


def run_hello(lab: Lab, profile_name: str, progress: Progress) -> RunReport:
    """Build what is missing, boot, deploy, load, run ``hello``; everything is gone afterwards."""
    profile = lab.profile(profile_name)
    with progress.stage("Choose an engine by booting it") as stage:
        stage.note = lab.engine.name
    with progress.stage(f"Guest image {lab.image_spec.name}") as stage:
        lab.report = note_on(stage)
        stage.note = lab.image.summary
    with progress.stage("Compile module, library and programs") as stage:
        lab.report = note_on(stage)
        stage.note = f"{len(lab.artefacts.programs)} programs"
    with ExitStack() as machine:
        with progress.stage("Boot to SSH") as stage:
            booted = machine.enter_context(lab.booted(profile))
            stage.note = f"profile {profile.name}"
        report = _in_guest(lab, booted, progress)
        with progress.stage("Power off"):
            machine.close()
    return RunReport(
        engine=f"{lab.engine.name} ({lab.engine.cpu})",
        kernel=lab.image.kernel_release,
        image_digest=lab.image.digest[:16],
        boot_arguments=report.cmdline,
        module=report.module,
        hello=report.hello,
        stages=tuple(progress.stages),
    )


@dataclass(frozen=True)
class _GuestReport:
    cmdline: str
    module: str
    hello: HelloReport


def _in_guest(lab: Lab, booted: Booted, progress: Progress) -> _GuestReport:
    guest = booted.guest
    with progress.stage("Deploy over SSH"):
        lab.deploy_to(guest)
    with progress.stage("Load dune.ko") as stage:
        load_module(guest, MODULE)
        module = stage.note = module_line(guest)
    with progress.stage("Run hello") as stage:
        hello = parse_hello(guest.run(f"{DIRECTORY}/hello", check=True).text)
        stage.note = f"CPL {hello.cpl}"
    with progress.stage("Unload dune.ko"):
        unload_module(guest, MODULE)
    return _GuestReport(guest.run("cat /proc/cmdline", check=True).text.strip(), module, hello)


def note_on(stage: Stage) -> Callable[[str], None]:
    """Return a reporter that shows its notes beside the stage."""

    def note(text: str) -> None:
        stage.note = text

    return note


def module_line(guest: Guest) -> str:
    """Return what the module said when it was loaded, without the time stamp."""
    lines = re.findall(r"\bdune: (.*-bit guest-physical.*)", guest.kernel_log())
    return str(lines[-1]) if lines else "loaded"


def parse_hello(output: str) -> HelloReport:
    """Read ``hello``'s output; dies if its last line is not the one of success."""
    end = re.search(
        r"^hello: ok, CPL (\d+), (\d+) system calls by proxy, (\d+) world switches$",
        output,
        re.MULTILINE,
    )
    if end is None:
        die(
            "hello ended without saying that all is well.",
            "read its output below; tests/guest/hello.c says what each line means",
            status=Status.FAILED,
            detail=output,
        )
    cpl, syscalls, switches = (int(group) for group in end.groups())
    return HelloReport(output.rstrip(), cpl, syscalls, switches)


def table_of(report: RunReport) -> Table:
    """Lay the report out for a terminal."""
    table = Table(show_header=False, title="A privileged process", title_justify="left")
    table.add_row("engine", report.engine)
    table.add_row("kernel", f"{report.kernel}, image {report.image_digest}")
    table.add_row("boot arguments", report.boot_arguments)
    table.add_row("module", report.module)
    table.add_row("hello", f"CPL {report.hello.cpl}")
    table.add_row(
        "system calls",
        f"{report.hello.syscalls} by proxy, {report.hello.world_switches} world switches",
    )
    table.add_section()
    for stage in report.stages:
        table.add_row(stage.title, f"{stage.elapsed:6.1f} s")
    table.add_row("total", f"{sum(stage.elapsed for stage in report.stages):6.1f} s")
    return table
