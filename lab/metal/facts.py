# SPDX-License-Identifier: BSD-2-Clause
"""What decides how fast things are on a machine of metal, and which bugs of it were worked around.

Read from ``/proc`` and ``/sys`` alone, below a root that tests replace. Whatever is not there is
empty: kernels and firmware differ in what they tell, and a record with a gap is better than none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CPUS = "sys/devices/system/cpu"
PAGES = "sys/kernel/mm/hugepages"
UNSETTLED = "mixed"
"""Where processors differ in what they should all have."""


@dataclass(frozen=True)
class MetalFacts:
    """One machine at one moment."""

    processor: str
    vendor: str
    """As in CPUID."""
    microcode: str
    features: tuple[str, ...]
    """``vmx`` or ``svm``, if Linux sees it."""
    under_hypervisor: bool
    """Whether this is a virtual machine itself: then its times are not those of metal."""
    processors: int
    """Logical ones that are online."""
    smt: str
    """``on``, ``off``, ``forceoff``, ``notsupported``, ``notimplemented``."""
    governor: str
    boost: str
    """``on`` or ``off``."""
    kernel: str
    boot_arguments: str
    nested: Mapping[str, str]
    """Parameter ``nested`` of each loaded module of KVM's."""
    memory_mib: int
    huge_pages: Mapping[str, int]
    """How many are reserved, by size."""
    transparent_huge_pages: str
    clock_source: str
    mitigations: Mapping[str, str]
    """By the name of the processor's fault, what is done about it."""


def read_facts(root: Path = Path("/")) -> MetalFacts:
    """Read them. Takes milliseconds and never fails."""
    cpuinfo = _read(root / "proc/cpuinfo")
    flags = _field(cpuinfo, "flags").split()
    meminfo = re.search(r"^MemTotal:\s*(\d+) kB", _read(root / "proc/meminfo"), re.M)
    clock = "sys/devices/system/clocksource/clocksource0/current_clocksource"
    return MetalFacts(
        processor=_field(cpuinfo, "model name"),
        vendor=_field(cpuinfo, "vendor_id"),
        microcode=_field(cpuinfo, "microcode"),
        features=tuple(name for name in ("svm", "vmx") if name in flags),
        under_hypervisor="hypervisor" in flags,
        processors=len(re.findall(r"^processor\s*:", cpuinfo, re.M)),
        smt=_read(root / CPUS / "smt/control"),
        governor=_governor(root),
        boost=_boost(root),
        kernel=_read(root / "proc/sys/kernel/osrelease"),
        boot_arguments=_read(root / "proc/cmdline"),
        nested={
            module: value
            for module in ("kvm_amd", "kvm_intel")
            if (value := _read(root / "sys/module" / module / "parameters/nested"))
        },
        memory_mib=int(meminfo[1]) // 1024 if meminfo else 0,
        huge_pages={
            path.name.removeprefix("hugepages-"): int(_read(path / "nr_hugepages") or 0)
            for path in _sorted(root / PAGES)
        },
        transparent_huge_pages=_chosen(_read(root / "sys/kernel/mm/transparent_hugepage/enabled")),
        clock_source=_read(root / clock),
        mitigations={path.name: _read(path) for path in _sorted(root / CPUS / "vulnerabilities")},
    )


def doubts(facts: MetalFacts) -> tuple[str, ...]:
    """Say what makes times on this machine differ from one run to the next, or from others'."""
    found = []
    if facts.under_hypervisor:
        found.append("this is a virtual machine: its times are not those of hardware")
    if facts.governor not in ("", "performance"):
        found.append(f"the governor is {facts.governor}: cpupower frequency-set -g performance")
    if facts.boost == "on":
        found.append("processors may boost: how fast one is depends on the others")
    if facts.smt == "on":
        found.append("SMT is on: who shares a core is slower (echo off >/sys/.../cpu/smt/control)")
    if facts.clock_source not in ("", "tsc"):
        found.append(f"the clock is {facts.clock_source}, not tsc: reading it costs microseconds")
    return tuple(found)


def _governor(root: Path) -> str:
    found = {_read(path) for path in (root / CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")}
    return found.pop() if len(found) == 1 else UNSETTLED if found else ""


def _boost(root: Path) -> str:
    """Two drivers, two files, and one of them says the opposite."""
    if value := _read(root / CPUS / "cpufreq/boost"):
        return "on" if value == "1" else "off"
    if value := _read(root / CPUS / "intel_pstate/no_turbo"):
        return "off" if value == "1" else "on"
    return ""


def _chosen(choices: str) -> str:
    """The one in brackets of ``always [madvise] never``."""
    found = re.search(r"\[(\w+)\]", choices)
    return found[1] if found else ""


def _field(cpuinfo: str, name: str) -> str:
    """Of the first processor."""
    found = re.search(rf"^{name}[ \t]*:[ \t]*(.*)$", cpuinfo, re.M)
    return found[1].strip() if found else ""


def _sorted(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
