# SPDX-License-Identifier: BSD-2-Clause
"""Make the golden corpus: what kernels really print, for the scanner to be measured against.

    python -m lab.zoo.capture --image debian-13 --profile seed warn null_read boot

boots a guest for each of these (all that fit the kernel, if none is named), lets it happen, and
writes ``tests/golden/{splat,clean}/NAME-KERNEL-PROFILE-ENGINE.{console,kmsg}.log`` and the entries
of ``tests/golden/index.yaml``. A log that is in the index already keeps its titles, which people
have read; a new one gets the scanner's, to be read by you.

A ``console`` log is what came over the serial port, a ``kmsg`` log what was read from /dev/kmsg,
both from the moment before it happened. One longer than ``MOST`` bytes has lost its middle, at ends
of lines. A log without a byte is not kept.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import click
import yaml

from lab.config import Config
from lab.errors import LabError, unknown_name
from lab.guest import Guest
from lab.lab import Lab
from lab.machine.boot import boot
from lab.session.kernel import label
from lab.verdict.kernel_log import complaints, parse
from lab.verdict.scanner import scan
from lab.zoo.enclosure import bring, with_arguments
from lab.zoo.faults import FAULTS, Fault
from lab.zoo.ordinary import ORDINARY, Ordinary

MOST = 24 << 10
SOURCES = ("console", "kmsg")
_SETTLE = 0.5
"""Seconds after which a kernel has said what it had to say."""
_READ_KMSG = "timeout 1 cat /dev/kmsg"
"""At its end a read waits for the next record, hence the limit."""

Entry = dict[str, object]
"""One log in the index: log, fault, kernel, profile, engine, source, titles."""


def observe(lab: Lab, profile_name: str, subject: Fault | Ordinary) -> dict[str, bytes]:
    """Boot a guest, let ``subject`` happen in it, and return what it printed, by source."""
    profile = with_arguments(lab.profile(profile_name), subject.arguments)
    whole = isinstance(subject, Ordinary) and subject.whole
    with tempfile.TemporaryDirectory() as runs:  # a machine that died leaves its directory there
        config = replace(lab.config, runs=Path(runs))
        memory = lab.requirements.guest.memory_mib
        with boot(config, lab.image, lab.engine, profile, memory_mib=memory) as (machine, guest):
            console, before = machine.console, b""
            if not whole:
                lab.deploy_to(guest)
                bring(lab, guest)
                console.read_new()
                before = _kernel_log(guest)
            with contextlib.suppress(LabError):  # that it hangs or dies is what is to be seen
                guest.run(subject.script, timeout=subject.seconds)
            machine.qmp.wait_event("SHUTDOWN", _SETTLE)
            after = _kernel_log(guest) if machine.alive else b""
            added = after[len(before) :] if after.startswith(before) else after
            return {"console": console.read_new(), "kmsg": added}


def _kernel_log(guest: Guest) -> bytes:
    """Read all records there are; nothing if the guest does not answer."""
    with contextlib.suppress(LabError):
        return guest.run(_READ_KMSG, timeout=8.0).stdout
    return b""


def trimmed(log: bytes) -> bytes:
    """Cut whole lines out of the middle of a log that is too long."""
    if len(log) <= MOST:
        return log
    first = log.rfind(b"\n", 0, MOST * 2 // 3) + 1
    last = log.find(b"\n", len(log) - MOST // 3) + 1
    return log[:first] + log[last:]


def titles(log: bytes, source: str) -> list[str]:
    """Return what the scanner finds in a log."""
    if source == "kmsg":
        return [report.title for report in complaints(parse(log.decode(errors="replace")))]
    return [report.title for report in scan(log)]


def write(root: Path, facts: Entry, logs: dict[str, bytes]) -> list[str]:
    """Store the logs of one subject below ``root`` and index them; return lines about them."""
    index = root / "index.yaml"
    text = index.read_text() if index.exists() else ""
    entries: dict[object, Entry] = {e["log"]: e for e in yaml.safe_load(text) or []}
    said = []
    for source, log in logs.items():
        kept = trimmed(log)
        place = "splat" if facts["splat"] else "clean"
        kernel = label(str(facts["kernel"]))
        stem = "-".join(map(str, (facts["fault"], kernel, facts["profile"], facts["engine"])))
        path = root / place / f"{stem}.{source}.log"
        name = str(path.relative_to(root))
        if not kept:
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(kept)
        found = titles(kept, source)
        entry = {key: value for key, value in facts.items() if key != "splat"}
        known = entries.get(name, {}).get("titles", found)
        entries[name] = {"log": name, **entry, "source": source, "titles": known}
        said.append(f"{name} {len(kept)} {found}" + (f", not {known}" if known != found else ""))
    head = "".join(re.findall(r"^#.*\n", text, re.M))
    ordered = [entries[name] for name in sorted(entries, key=str)]
    index.write_text(head + yaml.safe_dump(ordered, sort_keys=False, width=100))
    return said


def chosen(names: Sequence[str], kernel: str) -> list[Fault | Ordinary]:
    """Return the subjects of these names, or all; without those that need another kernel."""
    known: dict[str, Fault | Ordinary] = {subject.name: subject for subject in (*FAULTS, *ORDINARY)}
    for name in names:
        if name not in known:
            unknown_name("fault", name, known)
    subjects = [known[name] for name in names or known]
    return [s for s in subjects if not isinstance(s, Fault) or s.fits(kernel)]


@click.command()
@click.option("--image", default="debian-12", show_default=True)
@click.option("--profile", default="seed", show_default=True)
@click.option("--engine", default="svm-tcg", show_default=True)
@click.option("--source", "sources", multiple=True, type=click.Choice(SOURCES), default=SOURCES)
@click.argument("names", nargs=-1)
def main(
    image: str, profile: str, engine: str, sources: Sequence[str], names: Sequence[str]
) -> None:
    """Capture the logs of the faults and ordinary things NAMES, or of all."""
    lab = Lab(Config.from_environment(), image_name=image, engine_name=engine)
    kernel = lab.image.kernel_release
    for subject in chosen(names, kernel):
        harmless = sources if isinstance(subject, Fault) else subject.sources
        logs = observe(lab, profile, subject)
        facts: Entry = {
            "fault": subject.name,
            "kernel": kernel,
            "profile": profile,
            "engine": lab.engine.name,
            "splat": isinstance(subject, Fault) and not subject.silent,
        }
        wanted = {source: logs[source] for source in sources if source in harmless}
        for line in write(lab.config.source / "tests" / "golden", facts, wanted):
            click.echo(line)


if __name__ == "__main__":
    main()
