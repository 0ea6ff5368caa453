# SPDX-License-Identifier: BSD-2-Clause
"""What others read of the requirements, as it is written into their files.

In ``README.md`` a table stands between two comments; everything else there is written by people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from lab.errors import Status, die
from lab.requirements.spec import Requirements, load_requirements

README = Path("README.md")
BEGIN, END = "<!-- requirements -->", "<!-- end of requirements -->"


def generated(root: Path) -> Mapping[Path, str]:
    """Return what the files should contain, by their paths below ``root``."""
    needs = load_requirements(root)
    return {
        README: with_table((root / README).read_text(), needs),
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
