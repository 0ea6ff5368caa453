# SPDX-License-Identifier: BSD-2-Clause
"""``images/requirements.yaml``, read, checked and frozen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from lab.errors import Status, die
from lab.image.spec import Section
from lab.profile import Profile, load_profile

FILE = "images/requirements.yaml"
HOST_PACKAGES = "lab/host-packages.txt"


@dataclass(frozen=True)
class Versions:
    """What works, and what of it the suites run on."""

    kernel: str
    """The oldest."""
    tested: tuple[str, ...]
    proved: tuple[str, ...]
    """Distributions, as in ``Debian-12``."""
    untried: tuple[str, ...]


@dataclass(frozen=True)
class GuestNeeds:
    """A machine that processes become privileged on."""

    profile: Profile
    packages: tuple[str, ...]
    headers: tuple[tuple[str, str], ...]
    """(distribution, the package that follows its kernel) pairs."""
    cpus: int
    memory_mib: int
    """Of a bare guest."""
    system_memory_mib: int
    """Of a machine with a whole system."""
    huge_pages: int
    transparent_huge_pages: str


@dataclass(frozen=True)
class Device:
    """The module's device, as ``kern/60-dune.rules`` makes it."""

    path: str
    group: str
    mode: str
    """Octal, as in YAML: a string."""


@dataclass(frozen=True)
class HostNeeds:
    """A machine that the lab runs on."""

    packages: tuple[str, ...]
    nested: int
    group: str
    kvm_mode: str
    huge_pages: int


@dataclass(frozen=True)
class Requirements:
    """All of it."""

    versions: Versions
    guest: GuestNeeds
    device: Device
    host: HostNeeds


def load_requirements(source: Path) -> Requirements:
    """Read the file of the checkout ``source``; a malformed one is a USAGE error."""
    path = source / FILE
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _parse(source, document)
    except (OSError, yaml.YAMLError, ValueError) as error:
        die(f"{path} is malformed.", f"edit {path}", status=Status.USAGE, detail=str(error))


def _parse(source: Path, document: object) -> Requirements:
    top = Section("the file", document, {"versions", "guest", "device", "host"})
    versions = Section("versions", top.get("versions"), {"kernel", "tested", "proved", "untried"})
    device = Section("device", top.get("device"), {"path", "group", "mode"})
    host = Section("host", top.get("host"), {"nested", "group", "kvm_mode", "huge_pages"})
    return Requirements(
        Versions(
            kernel=versions.word("kernel"),
            tested=versions.words("tested"),
            proved=versions.words("proved"),
            untried=versions.words("untried"),
        ),
        _guest(source, top.get("guest")),
        Device(device.word("path"), device.word("group"), _mode(device.value, "mode")),
        HostNeeds(
            packages=host_packages((source / HOST_PACKAGES).read_text(encoding="utf-8")),
            nested=_number(host.value, "nested"),
            group=host.word("group"),
            kvm_mode=_mode(host.value, "kvm_mode"),
            huge_pages=_number(host.value, "huge_pages"),
        ),
    )


def _guest(source: Path, value: object) -> GuestNeeds:
    keys = {"profile", "packages", "headers", "cpus", "memory_mib", "system_memory_mib"}
    guest = Section("guest", value, {*keys, "huge_pages", "transparent_huge_pages"})
    return GuestNeeds(
        profile=load_profile(source, guest.word("profile")),
        packages=guest.words("packages"),
        headers=guest.pairs("headers"),
        cpus=_number(guest.value, "cpus"),
        memory_mib=_number(guest.value, "memory_mib"),
        system_memory_mib=_number(guest.value, "system_memory_mib"),
        huge_pages=_number(guest.value, "huge_pages"),
        transparent_huge_pages=guest.word("transparent_huge_pages"),
    )


def host_packages(text: str) -> tuple[str, ...]:
    """Read a list of packages as ``lab/bootstrap.sh`` does: words, and comments behind ``#``."""
    return tuple(word for line in text.splitlines() for word in line.partition("#")[0].split())


def _number(section: Mapping[str, object], key: str) -> int:
    value = section[key]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{key!r} is {value!r} where a number must be")
    return value


def _mode(section: Mapping[str, object], key: str) -> str:
    value = section[key]
    if not isinstance(value, str) or not re.fullmatch("0[0-7]{3}", value):
        raise ValueError(f"{key!r} is {value!r} where a file's mode must be, as in '0660'")
    return value
