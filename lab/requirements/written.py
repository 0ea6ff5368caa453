# SPDX-License-Identifier: BSD-2-Clause
"""What others read of the requirements, as it is written into their files.

A role's defaults are such a file as a whole. In ``README.md`` a table stands between two comments;
everything else there is written by people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

from lab.errors import Status, die
from lab.requirements.spec import FILE, Requirements, load_requirements

README = Path("README.md")
BEGIN, END = "<!-- requirements -->", "<!-- end of requirements -->"
ROLES = Path("ansible/roles")
HEAD = f"""\
---
# SPDX-License-Identifier: BSD-2-Clause
# Written by `make docs` from {FILE}: change it there.
"""


class _Indented(yaml.SafeDumper):
    """Indents lists below their keys, as yamllint wants it."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, indentless=False)


def generated(root: Path) -> Mapping[Path, str]:
    """Return what the files should contain, by their paths below ``root``."""
    needs = load_requirements(root)
    return {
        README: with_table((root / README).read_text(), needs),
        **{
            ROLES / role / "defaults/main.yml": HEAD
            + yaml.dump(values, Dumper=_Indented, sort_keys=False)
            for role, values in role_defaults(needs).items()
        },
    }


def role_defaults(needs: Requirements) -> Mapping[str, Mapping[str, object]]:
    """Return the variables of each role; ``meta/argument_specs.yml`` says what they mean."""
    guest, device, host = needs.guest, needs.device, needs.host
    return {
        "lab_host": {
            "lab_host_packages": list(host.packages),
            "lab_host_nested": bool(host.nested),
            "lab_host_kvm_group": host.group,
            "lab_host_kvm_mode": host.kvm_mode,
            "lab_host_users": [],
            "lab_host_huge_pages": host.huge_pages,
        },
        "privileged_guest": {
            "privileged_guest_oldest_kernel": needs.versions.kernel,
            "privileged_guest_kernel_arguments": list(guest.profile.required),
            "privileged_guest_forbidden_arguments": list(guest.profile.forbidden),
            "privileged_guest_packages": list(guest.packages),
            "privileged_guest_package_directory": "",
            "privileged_guest_headers": dict(guest.headers),
            "privileged_guest_device": device.path,
            "privileged_guest_group": device.group,
            "privileged_guest_device_mode": device.mode,
            "privileged_guest_users": [],
            "privileged_guest_huge_pages": guest.huge_pages,
            "privileged_guest_transparent_huge_pages": guest.transparent_huge_pages,
            "privileged_guest_reboot_seconds": 1200,
        },
    }


def with_table(document: str, needs: Requirements) -> str:
    """Replace the table in the README."""
    if BEGIN not in document or END not in document:
        die(
            f"{README} has no place for the requirements.",
            f"put the lines {BEGIN} and {END} where they belong",
            status=Status.USAGE,
        )
    before, _, rest = document.partition(BEGIN)
    text = "\n".join(_table(needs))
    return f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}"


def _table(needs: Requirements) -> Iterator[str]:
    guest, versions = needs.guest, needs.versions
    proved, untried = (
        " and ".join(names).replace("-", " ") for names in (versions.proved, versions.untried)
    )
    arguments = " ".join(f"`{argument}`" for argument in guest.profile.required)
    rows = {
        "processor": "x86-64 with SVM or VT-x, nested paging",
        "kernel": f"Linux {versions.kernel} or newer; suites run on {', '.join(versions.tested)}",
        "system": f"{proved}; nobody has tried {untried}",
        "packages": " ".join(f"`{name}`" for name in guest.packages),
        "kernel's headers": " or ".join(f"`{name}`" for _, name in guest.headers),
        "boot arguments": f"none; the suites run with {arguments} and without",
        "huge pages": f"{guest.huge_pages or 'none'} reserved; transparent ones by "
        f"`{guest.transparent_huge_pages}`",
        "device": f"`{needs.device.path}`, mode {needs.device.mode}, group `{needs.device.group}`",
        "lab's machines": f"{guest.cpus} processors, {guest.memory_mib} MiB; with a whole system "
        f"{guest.system_memory_mib} MiB",
        "lab's host": f"{len(needs.host.packages)} packages (`lab/host-packages.txt`); nested "
        f"KVM if there is KVM, for the group `{needs.host.group}`",
    }
    yield "| what | needed |"
    yield "|---|---|"
    for what, needed in rows.items():
        yield f"| {what} | {needed} |"
