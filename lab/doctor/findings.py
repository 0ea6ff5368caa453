# SPDX-License-Identifier: BSD-2-Clause
"""What is right and wrong on this host, each with its cause and the command that helps.

Pure: facts in, findings out. The ids are stable; scripts may rely on them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from lab.doctor.host import Host
from lab.doctor.kvm import KVM_API_VERSION, KvmNode
from lab.doctor.packages import PACKAGE_OF, install_command
from lab.doctor.verdict import EngineProbe, Verdict
from lab.engine import Accelerator, Vendor

GIB = 1 << 30
QEMU_NEEDED = (7, 2)
"""Debian 12's; older ones are not tested."""
PYTHON_NEEDED = (3, 11)
DISK_NEEDED = 3 * GIB
"""An image, its compiler tree and what mmdebstrap unpacks on the way."""
MEMORY_NEEDED = 3 * GIB // 2
"""One guest of 1 GiB, and the emulator itself."""
CORES_NEEDED = 2
"""A guest has two processors; on one core it runs, at half the speed."""


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    """The lab works, without this."""
    FAIL = "fail"
    """The lab does not work."""


@dataclass(frozen=True)
class Finding:
    """One checked fact."""

    id: str
    level: Level
    cause: str
    next: str = ""
    """What to type; empty for ``OK``."""


def find(host: Host, probes: Sequence[EngineProbe]) -> tuple[Finding, ...]:
    """Judge everything, in the order of the report."""
    return (
        *_qemu(host),
        *_kvm(host, probes),
        *_nested_guests(probes),
        *_programs(host, probes),
        *_room(host),
    )


def _qemu(host: Host) -> Iterator[Finding]:
    version = ".".join(str(part) for part in host.qemu_version)
    if host.ground.qemu is None:
        cause = "qemu-system-x86_64 is not in PATH"
        yield Finding("qemu-missing", Level.FAIL, cause, install_command("qemu-system-x86"))
    elif not host.qemu_version:
        cause = f"{host.ground.qemu} does not tell its version"
        yield Finding("qemu-version", Level.FAIL, cause, f"{host.ground.qemu} --version")
    elif host.qemu_version < QEMU_NEEDED:
        cause = f"QEMU {version} is older than 7.2, the oldest one tested"
        yield Finding("qemu-version", Level.WARN, cause, install_command("qemu-system-x86"))
    else:
        yield Finding("qemu-version", Level.OK, f"QEMU {version}")


def _kvm(host: Host, probes: Sequence[EngineProbe]) -> Iterator[Finding]:
    """From the node inwards. Past the first broken step there is nothing to report."""
    node = host.ground.kvm
    if not node.exists:
        yield Finding("kvm-node", Level.WARN, f"there is no {node.path}", _load_kvm(host))
        return
    yield Finding("kvm-node", Level.OK, node.path)
    if not node.opens:
        cause = f"{node.path} cannot be opened: {node.error}"
        yield Finding("kvm-perm", Level.WARN, cause, _open_kvm(node))
        return
    yield Finding("kvm-perm", Level.OK, f"{node.path} opens")
    if node.api_version != KVM_API_VERSION:
        cause = f"its API version is {node.api_version}, not {KVM_API_VERSION}"
        yield Finding("kvm-api", Level.WARN, cause, "sudo dmesg | grep -i kvm")
        return
    if not node.creates_vcpu:
        cause = f"it creates no virtual CPU: {node.error}"
        yield Finding("kvm-api", Level.WARN, cause, "sudo dmesg | grep -i kvm")
        return
    yield Finding("kvm-api", Level.OK, "version 12, creates a virtual CPU")
    for probe in probes:
        if probe.engine.accelerator is Accelerator.KVM:
            yield from _kvm_boots(host, probe, probes)


def _load_kvm(host: Host) -> str:
    if "svm" in host.processor_flags:
        return "sudo modprobe kvm_amd"
    if "vmx" in host.processor_flags:
        return "sudo modprobe kvm_intel"
    return "none here: this processor shows neither SVM nor VT-x (firmware setting? nested VM?)"


def _open_kvm(node: KvmNode) -> str:
    if node.error == os.strerror(errno.EPERM):
        return f"start this container with --device {node.path}"
    if node.group:
        return f'sudo usermod -aG {node.group} "$USER"  # then log in again'
    return f'sudo chown "$USER" {node.path}  # until the next boot'


def _kvm_boots(host: Host, kvm: EngineProbe, probes: Sequence[EngineProbe]) -> Iterator[Finding]:
    if kvm.verdict is Verdict.BOOTS:
        yield Finding("kvm-boots", Level.OK, f"{kvm.engine.name}: {kvm.reason}")
        return
    if kvm.verdict in {Verdict.ABSENT, Verdict.NOT_PROBED}:
        return  # for want of QEMU or of the probe itself, which is a finding of its own
    if kvm.verdict is not Verdict.NO_NESTING:
        others = [probe.engine.name for probe in probes if probe.usable]
        instead = f"none needed, {others[0]} is used" if others else "see the other findings"
        command = f"{instead}; KVM needs a host with real SVM or VT-x"
        yield Finding("kvm-boots", Level.WARN, f"KVM is unusable: {kvm.reason}", command)
        return
    yield Finding("kvm-boots", Level.OK, "KVM boots")
    module = host.nesting_module
    if module and host.nesting in {"N", "0"}:
        command = f"sudo modprobe -r {module} && sudo modprobe {module} nested=1"
        yield Finding("nested-host", Level.WARN, f"{module} has nesting switched off", command)
    else:
        command = "switch nested virtualization on in the hypervisor that runs this machine"
        yield Finding("nested-host", Level.WARN, f"KVM cannot nest: {kvm.reason}", command)


def _nested_guests(probes: Sequence[EngineProbe]) -> Iterator[Finding]:
    """Say where a guest can be a hypervisor: what the module needs."""
    if all(probe.verdict is Verdict.NOT_PROBED for probe in probes):
        return
    for vendor in Vendor:
        usable = [probe for probe in probes if probe.engine.vendor is vendor and probe.usable]
        ident = f"nested-guest-{vendor.value}"
        if usable:
            where = ", ".join(probe.engine.name for probe in usable)
            yield Finding(ident, Level.OK, f"{where}: {usable[0].reason}")
        elif vendor is Vendor.SVM:
            cause = "no engine here gives its guests SVM"
            yield Finding(ident, Level.FAIL, cause, install_command("qemu-system-x86"))
        else:
            cause = "no engine here gives its guests VT-x"
            yield Finding(ident, Level.WARN, cause, install_command(PACKAGE_OF["bochs"]))


def _programs(host: Host, probes: Sequence[EngineProbe]) -> Iterator[Finding]:
    if host.missing_programs:
        cause = f"not in PATH: {', '.join(host.missing_programs)}"
        packages = [PACKAGE_OF[name] for name in host.missing_programs]
        yield Finding("tools", Level.FAIL, cause, install_command(*packages))
    else:
        yield Finding("tools", Level.OK, "all programs are here")
    if host.ground.bochs is None:
        command = install_command(PACKAGE_OF["bochs"])
        yield Finding("bochs", Level.WARN, "bochs is not in PATH: no VT-x without KVM", command)
    else:
        bochs = [p for p in probes if p.engine.accelerator is Accelerator.BOCHS]
        for probe in bochs:
            if probe.verdict is Verdict.BOOTS:
                yield Finding("bochs", Level.OK, f"{probe.engine.name}: {probe.reason}")
            elif probe.verdict is not Verdict.NOT_PROBED:
                command = install_command(PACKAGE_OF["bochs"])
                yield Finding("bochs", Level.WARN, f"{probe.engine.name}: {probe.reason}", command)
    version = ".".join(str(part) for part in host.python_version)
    if host.python_version < PYTHON_NEEDED:
        cause = f"Python {version} is older than 3.11"
        yield Finding("python", Level.FAIL, cause, install_command("python3"))
    else:
        yield Finding("python", Level.OK, f"Python {version}")


def _room(host: Host) -> Iterator[Finding]:
    disk = f"{host.disk_free / GIB:.1f} GiB free for {host.cache}"
    if host.disk_free < DISK_NEEDED:
        command = f"make room, or set DBOS_LAB_CACHE to where {DISK_NEEDED // GIB} GiB are free"
        yield Finding("disk", Level.FAIL, f"only {disk}", command)
    else:
        yield Finding("disk", Level.OK, disk)
    memory = f"{host.memory_free / GIB:.1f} GiB of memory free"
    if host.memory_free < MEMORY_NEEDED:
        command = f"free memory: a guest wants {MEMORY_NEEDED / GIB:.1f} GiB"
        yield Finding("memory", Level.WARN, f"only {memory}", command)
    else:
        yield Finding("memory", Level.OK, memory)
    if host.cores < CORES_NEEDED:
        command = "use a machine, or a CPU affinity, with at least 2 cores"
        yield Finding("cores", Level.WARN, f"only {host.cores} core: tests take longer", command)
    else:
        yield Finding("cores", Level.OK, f"{host.cores} cores")
