# SPDX-License-Identifier: BSD-2-Clause
"""The whole examination, and the part of it that the rest of the lab asks for."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lab.config import Config
from lab.doctor.engines import probe_engines, unprobed
from lab.doctor.findings import Finding, Level, find
from lab.doctor.host import Host, look_at_host
from lab.doctor.image import build_probe, locked
from lab.doctor.memory import recall, remember
from lab.doctor.verdict import EngineProbe
from lab.engine import ENGINES, Engine
from lab.errors import LabError


@dataclass(frozen=True)
class Diagnosis:
    """Everything the doctor found out."""

    host: Host
    engines: tuple[EngineProbe, ...]
    """One entry each for KVM, TCG and Bochs."""
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def default(self) -> Engine | None:
        """The engine the lab takes when it is not told: the best that boots and is driven."""
        usable = [probe.engine for probe in self.engines if probe.usable]
        return next((engine for engine in ENGINES if engine in usable), None)


def diagnose(config: Config) -> Diagnosis:
    """Examine the host anew, however long ago the last time was. Takes seconds."""
    started = time.monotonic()
    host = look_at_host(config)
    extra: tuple[Finding, ...] = ()
    try:
        engines = probe_engines(build_probe(config), host.ground)
        remember(config, engines)
    except LabError as error:
        engines = unprobed(host.ground, error.message)
        extra = (Finding("probe", Level.FAIL, error.message, error.hint),)
    return Diagnosis(
        host=host,
        engines=engines,
        findings=extra + find(host, engines),
        seconds=time.monotonic() - started,
    )


def usable_engines(config: Config) -> tuple[EngineProbe, ...]:
    """Return the engines that boot here and can be driven; remembered until something changes.

    The first call probes, which takes seconds; two at once share one probing. Raises ``LabError``
    if the probe cannot be built.
    """
    known = recall(config)
    if known is None:
        image = build_probe(config)
        with locked(image.parent):
            known = recall(config)
            if known is None:
                known = probe_engines(image, look_at_host(config).ground)
                remember(config, known)
    return tuple(probe for probe in known if probe.usable)
