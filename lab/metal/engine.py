# SPDX-License-Identifier: BSD-2-Clause
"""The engine that runs at this machine's own speed, or why there is none."""

from __future__ import annotations

from collections.abc import Iterable

from lab.doctor.verdict import EngineProbe
from lab.engine import Accelerator, Engine
from lab.errors import Status, die


def metal_engine(probes: Iterable[EngineProbe], feature: str = "") -> Engine:
    """Return the KVM that has booted, with ``feature`` (``svm`` or ``vmx``) if that is asked for.

    Dies with ``MISSING`` if it has not, or has the other one.
    """
    [probe] = [one for one in probes if one.engine.accelerator is Accelerator.KVM]
    here = probe.engine.vendor.value
    if not probe.usable:
        die(
            f"This machine has no {feature or here} at full speed: booting by KVM was tried, "
            f"and it is {probe.verdict} ({probe.reason}).",
            f"dbos-lab doctor --require kvm --require {feature or here}",
            status=Status.MISSING,
        )
    if feature and feature != here:
        die(
            f"This machine has {here}, and {feature} was asked for.",
            f"make metal FEATURE={here}",
            status=Status.MISSING,
        )
    return probe.engine
