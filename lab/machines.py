# SPDX-License-Identifier: BSD-2-Clause
"""The machines of a test session: one per boot profile, started at first use, shared by tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from lab.config import Config
from lab.doctor.memory import recall
from lab.engine import DRIVEN
from lab.errors import LabError, Status
from lab.image.build import find_image
from lab.image.spec import load_image_spec
from lab.lab import Booted, Lab
from lab.options import option

COMPLAINT = re.compile(
    r"WARNING: |BUG: |Oops|general protection fault|Call Trace:|Kernel panic|INFO: .* blocked"
)
"""What a kernel says when something is wrong, whatever else went well."""


class Machines(Lab):
    """A lab that keeps the machines it booted until ``close``."""

    def __init__(self, config: Config, *, image_name: str, engine_name: str | None) -> None:
        super().__init__(config, image_name=image_name, engine_name=engine_name)
        self._running: dict[str, tuple[Booted, ExitStack]] = {}

    def booted_once(self, profile_name: str) -> Booted:
        """Return the running machine of this profile; a new one if there is none or it died."""
        if profile_name in self._running:
            booted, stack = self._running[profile_name]
            if booted.machine.alive:
                return booted
            del self._running[profile_name]
            stack.close()
        _ = self.artefacts  # compiled now, so that no machine waits for a compiler
        with ExitStack() as stack:
            booted = stack.enter_context(self.booted(self.profile(profile_name)))
            self.deploy_to(booted.guest)
            self._running[profile_name] = booted, stack.pop_all()
        return booted

    def close(self) -> None:
        """End all machines."""
        while self._running:
            _, (_, stack) = self._running.popitem()
            stack.close()


@contextmanager
def open_machines(config: pytest.Config) -> Iterator[Machines]:
    """Make the session's lab from the options, and end its machines afterwards.

    A capability this host lacks is a skip that says so, or a failure under ``--lab-require``.
    """
    machines = Machines(
        Config.from_environment(),
        image_name=option(config, "image"),
        engine_name=option(config, "engine") or None,
    )
    try:
        _ = machines.engine
    except LabError as error:
        if error.status is Status.MISSING and not option(config, "require"):
            pytest.skip(str(error))
        raise
    try:
        yield machines
    finally:
        machines.close()


def skip_unless(request: pytest.FixtureRequest, machines: Machines) -> None:
    """Honour ``lab_requires``: skip, with the reason, a test whose vendor the engine is not."""
    marker = request.node.get_closest_marker("lab_requires")
    if marker is None:
        return
    vendor = machines.engine.vendor.value
    missing = [want for want in marker.args if want != vendor]
    if not missing:
        return
    reason = f"needs {', '.join(missing)}; the engine {machines.engine.name} has {vendor}"
    if set(missing) & set(option(request.config, "require").split(",")):
        pytest.fail(f"{reason}, and --lab-require forbids to skip that", pytrace=False)
    pytest.skip(reason)


def kernel_complaints(before: str, after: str) -> str:
    """Return the lines of the kernel log ``after`` that complain and were not there ``before``."""
    old = set(before.splitlines())
    new = [line for line in after.splitlines() if line not in old]
    return "\n".join(new) if any(COMPLAINT.search(line) for line in new) else ""


def describe(config: pytest.Config) -> str:
    """Say what this session will run on, as far as it is known without booting anything."""
    lab_config = Config.from_environment()
    wanted = option(config, "engine")
    known = [probe.engine for probe in recall(lab_config) or () if probe.usable]
    engine = next((e for e in DRIVEN if e.name == wanted or (not wanted and e in known)), None)
    if engine is None:
        text = "engine not chosen yet"
    else:
        text = f"engine {engine.name}, vendor {engine.vendor.value}"
    image = find_image(lab_config, load_image_spec(lab_config.source, option(config, "image")))
    if image is None:
        return f"{text}; image {option(config, 'image')} not built yet"
    return f"{text}; kernel {image.kernel_release}, image {image.name} {image.digest[:16]}"
