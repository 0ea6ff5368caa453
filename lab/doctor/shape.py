# SPDX-License-Identifier: BSD-2-Clause
"""The JSON shape of what the doctor says. ``VERSION`` grows when a field changes its meaning.

``dbos-lab doctor --json`` prints one object::

    schema    "dbos-lab/doctor"
    version   1
    seconds   how long the examination took
    default   the engine the lab takes when it is not told, or null
    required  one object for each --require: name, met (true or false)
    host      qemu, qemu_version, bochs, python_version, processor_vendor, cores,
              memory_free_bytes, disk_free_bytes, cache; null where unknown
    engines   one object each for KVM, TCG and Bochs:
        name, vendor, accelerator   as the lab names them; a KVM by the vendor seen inside
        cpu         the CPU model that was tried last, or ""
        verdict     boots | no-nesting | emulated | stuck | died | faulted | absent | forbidden
                    | not-probed
        reason      one clause
        usable      it boots
        mips        millions of ring-0 instructions a second, or null
        seconds     from the start of the process to the verdict
        features    null, or: vendor, hypervisor_vendor, physical_bits, linear_bits,
                    flags (an object: every feature's name, true or false)
    findings  one object each: id, level (ok | warn | fail), cause, next (a command, or "")

New fields may appear without a new version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.doctor.features import FLAGS, Features
from lab.doctor.verdict import EngineProbe, Verdict
from lab.engine import engine_named

SCHEMA = "dbos-lab/doctor"
VERSION = 1

Json = dict[str, Any]


def probe_to_json(probe: EngineProbe) -> Json:
    """Write one engine down. The evidence stays out: it is long, and has a file of its own."""
    return {
        "name": probe.engine.name,
        "vendor": probe.engine.vendor.value,
        "accelerator": probe.engine.accelerator.value,
        "cpu": probe.cpu,
        "verdict": probe.verdict.value,
        "reason": probe.reason,
        "usable": probe.usable,
        "mips": None if probe.mips is None else round(probe.mips, 2),
        "seconds": round(probe.seconds, 3),
        "features": _features_to_json(probe.features),
    }


def probe_from_json(entry: Mapping[str, Any]) -> EngineProbe:
    """Read what ``probe_to_json`` wrote; raises one of ``KeyError, ValueError, TypeError``."""
    features = entry["features"]
    return EngineProbe(
        engine=engine_named(entry["name"]),
        verdict=Verdict(entry["verdict"]),
        reason=str(entry["reason"]),
        cpu=str(entry["cpu"]),
        mips=None if entry["mips"] is None else float(entry["mips"]),
        seconds=float(entry["seconds"]),
        features=None if features is None else _features_from_json(features),
    )


def _features_to_json(features: Features | None) -> Json | None:
    if features is None:
        return None
    return {
        "vendor": features.vendor,
        "hypervisor_vendor": features.hypervisor_vendor,
        "physical_bits": features.physical_bits,
        "linear_bits": features.linear_bits,
        "flags": {name: name in features.flags for name in FLAGS},
    }


def _features_from_json(entry: Mapping[str, Any]) -> Features:
    return Features(
        vendor=str(entry["vendor"]),
        hypervisor_vendor=str(entry["hypervisor_vendor"]),
        physical_bits=int(entry["physical_bits"]),
        linear_bits=int(entry["linear_bits"]),
        flags=frozenset(name for name, present in entry["flags"].items() if present),
    )
