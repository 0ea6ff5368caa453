# SPDX-License-Identifier: BSD-2-Clause
"""Facts about this host, gathered once; what they mean is judged in ``findings``."""

from __future__ import annotations

import os
import platform
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.config import Config
from lab.doctor.engines import Ground
from lab.doctor.kvm import look_at_kvm
from lab.errors import LabError
from lab.tool import run_tool

QEMU = "qemu-system-x86_64"

NEEDED = ("mmdebstrap", "cpio", "as", "ld", "setpriv", "unshare")
"""Without one of these, no image is built and no machine is started."""


@dataclass(frozen=True)
class Host:
    """What the machine has to offer."""

    ground: Ground
    qemu_version: tuple[int, ...]
    """Empty if QEMU is missing or says something unintelligible."""
    python_version: tuple[int, ...]
    missing_programs: tuple[str, ...]
    """Of ``NEEDED``."""
    processor_flags: frozenset[str]
    """``svm`` or ``vmx``, if Linux sees them."""
    nesting: str
    """The parameter ``nested`` of the host's KVM module: ``Y``, ``1``, ``N``, ``0``; or empty."""
    nesting_module: str
    """``kvm_intel`` or ``kvm_amd``, whichever is loaded; or empty."""
    cores: int
    memory_free: int
    """Bytes that could be allocated without swapping."""
    disk_free: int
    """Bytes, on the file system of the cache."""
    cache: str


def look_at_host(config: Config) -> Host:
    """Gather everything. Takes milliseconds, fails never: what is unknown is empty."""
    processor = _processor()
    module, nesting = _nesting(Path("/sys/module"))
    qemu = shutil.which(QEMU)
    return Host(
        ground=Ground(
            qemu=qemu,
            bochs=shutil.which("bochs"),
            kvm=look_at_kvm(),
            processor_vendor=processor.get("vendor_id", ""),
        ),
        qemu_version=_qemu_version(qemu) if qemu else (),
        python_version=tuple(int(part) for part in platform.python_version_tuple()[:2]),
        missing_programs=tuple(name for name in NEEDED if shutil.which(name) is None),
        processor_flags=frozenset(processor.get("flags", "").split()) & {"svm", "vmx"},
        nesting=nesting,
        nesting_module=module,
        cores=len(os.sched_getaffinity(0)),
        memory_free=_memory_free(_read(Path("/proc/meminfo"))),
        disk_free=_disk_free(config.cache),
        cache=str(config.cache),
    )


def parse_qemu_version(text: str) -> tuple[int, ...]:
    """Read ``QEMU emulator version 7.2.22 (Debian ...)``. A tuple compares as versions should."""
    found = re.search(r"version (\d+(?:\.\d+)+)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else ()


def _qemu_version(qemu: str) -> tuple[int, ...]:
    try:
        told = run_tool([qemu, "--version"], timeout=5)
    except (OSError, LabError):
        return ()
    return parse_qemu_version(told.stdout)


def _processor() -> dict[str, str]:
    """Read the first processor of ``/proc/cpuinfo``."""
    first = _read(Path("/proc/cpuinfo")).partition("\n\n")[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _nesting(modules: Path) -> tuple[str, str]:
    for module in ("kvm_intel", "kvm_amd"):
        if value := _read(modules / module / "parameters" / "nested").strip():
            return module, value
    return "", ""


def _memory_free(meminfo: str) -> int:
    found = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _disk_free(path: Path) -> int:
    """Measure the file system the cache is on, or would be on."""
    for place in (path, *path.parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return 0


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
