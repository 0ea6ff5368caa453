# SPDX-License-Identifier: BSD-2-Clause
"""Shows a diagnosis: one screen for people, one JSON object for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.config import Config
from lab.doctor.diagnosis import Diagnosis, diagnose
from lab.doctor.features import FLAGS, Features
from lab.doctor.findings import Finding, Level
from lab.doctor.shape import SCHEMA, VERSION, Json, probe_to_json
from lab.doctor.verdict import EngineProbe, Verdict
from lab.engine import Accelerator
from lab.errors import Status
from lab.progress import Progress

REQUIREMENTS = ("svm", "vmx", "kvm")
"""What ``--require`` takes."""

STYLE = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def main_report(config: Config, *, as_json: bool, require: Sequence[str] = ()) -> int:
    """Examine this host and print the report.

    Returns 0 if the lab can run guests here and every requirement is met, else 3. A requirement
    is met by a *usable* engine: one that boots.
    """
    stage = nullcontext() if as_json else Progress().stage("boot a tiny kernel under each engine")
    with stage:
        diagnosis = diagnose(config)
    if as_json:
        json.dump(to_json(diagnosis, require), sys.stdout, indent=2)
        print()
    else:
        console = Console(highlight=False)
        console.print(screen(diagnosis, require))
    met = all(is_met(name, diagnosis.engines) for name in require)
    return Status.OK if diagnosis.default and met else Status.MISSING


def is_met(requirement: str, probes: Iterable[EngineProbe]) -> bool:
    """Tell whether a usable engine has this vendor's virtualization, or is a KVM."""
    engines = [probe.engine for probe in probes if probe.usable]
    if requirement == "kvm":
        return any(engine.accelerator is Accelerator.KVM for engine in engines)
    return any(engine.vendor.value == requirement for engine in engines)


def to_json(diagnosis: Diagnosis, require: Sequence[str]) -> Json:
    """Put a diagnosis into the shape that ``shape`` documents."""
    host = diagnosis.host
    return {
        "schema": SCHEMA,
        "version": VERSION,
        "seconds": round(diagnosis.seconds, 3),
        "default": diagnosis.default.name if diagnosis.default else None,
        "required": [{"name": name, "met": is_met(name, diagnosis.engines)} for name in require],
        "host": {
            "qemu": host.ground.qemu,
            "qemu_version": _dotted(host.qemu_version) or None,
            "bochs": host.ground.bochs,
            "python_version": _dotted(host.python_version),
            "processor_vendor": host.ground.processor_vendor or None,
            "cores": host.cores,
            "memory_free_bytes": host.memory_free,
            "disk_free_bytes": host.disk_free,
            "cache": host.cache,
        },
        "engines": [probe_to_json(probe) for probe in diagnosis.engines],
        "findings": [
            {"id": f.id, "level": f.level.value, "cause": f.cause, "next": f.next}
            for f in diagnosis.findings
        ],
    }


def screen(diagnosis: Diagnosis, require: Sequence[str]) -> RenderableType:
    """Lay the diagnosis out: engines, the choice, what is wrong, and what is fine in a line."""
    troubles = [f for f in diagnosis.findings if f.level is not Level.OK]
    fine = [f.id for f in diagnosis.findings if f.level is Level.OK]
    parts: list[RenderableType] = [_engine_table(diagnosis.engines), _choice(diagnosis)]
    parts += [_requirement(name, diagnosis) for name in require]
    if troubles:
        parts.append(trouble_table(troubles))
    if fine:
        parts.append(Text.assemble(("ok    ", STYLE[Level.OK]), " ".join(fine)))
    return Group(*parts)


def _engine_table(probes: Sequence[EngineProbe]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("engine", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("MIPS", justify="right", no_wrap=True)
    table.add_column("the CPU inside")
    for probe in probes:
        good = probe.verdict is Verdict.BOOTS
        table.add_row(
            Text(probe.engine.name, style="bold"),
            Text(probe.verdict.value, style="green" if good else "yellow"),
            ""
            if probe.mips is None
            else f"{probe.mips:.2g}"
            if probe.mips < 10
            else f"{probe.mips:.0f}",
            inside(probe.features) if probe.features else Text(probe.reason, style="dim"),
        )
    return table


def inside(features: Features) -> str:
    """Name the CPU's maker, its address widths, physical and linear, and its features."""
    names = [name for name in FLAGS if name in features.flags]
    widths = f"{features.physical_bits}/{features.linear_bits} bits"
    return " ".join([features.vendor or "unknown", widths, *names])


def _choice(diagnosis: Diagnosis) -> Text:
    if diagnosis.default is None:
        return Text("no engine here can run guests", style="bold red")
    took = f"   (examined in {diagnosis.seconds:.1f} s)"
    return Text.assemble("default engine: ", (diagnosis.default.name, "bold green"), (took, "dim"))


def _requirement(name: str, diagnosis: Diagnosis) -> Text:
    if is_met(name, diagnosis.engines):
        return Text.assemble("required: ", name, ": ", ("met", "green"))
    return Text.assemble("required: ", name, ": ", ("missing", "bold red"))


def trouble_table(troubles: Sequence[Finding]) -> Table:
    """Lay findings out, each with the command that helps, if there is one."""
    table = Table(box=None, padding=(0, 1, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in troubles:
        text = Text(finding.cause)
        if finding.next:
            text.append("\nnext: ", style="dim").append(finding.next)
        table.add_row(Text(finding.level.value.ljust(5), STYLE[finding.level]), finding.id, text)
    return table


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)
