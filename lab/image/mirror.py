# SPDX-License-Identifier: BSD-2-Clause
"""Which mirror to build from: the one this host's own apt is configured with.

No mirror is named in this tree. A Debian host's apt knows a mirror that works here, perhaps a
local one behind a proxy; its entries are mapped to the guest's release. On other hosts the list is
empty and mmdebstrap uses Debian's public default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.errors import Status, die
from lab.tool import run_tool

KEYRINGS = (
    Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    Path("/usr/share/keyrings/debian-archive-keyring.pgp"),
)
ROLLING = frozenset({"sid"})
"""Releases that get their updates, security included, in the main archive alone."""
TARGET_FORMAT = "$(ORIGIN)|$(LABEL)|$(CODENAME)|$(REPO_URI)|$(COMPONENT)"
CARRIED = re.compile(
    r"Acquire::(https?::(Proxy|Proxy-Auto-Detect|ProxyAutoDetect|CAInfo|CAPath)(::.*)?"
    r"|Check-Valid-Until|ForceIPv[46])",
    re.IGNORECASE,
)
"""apt options that say how to reach a mirror. Everything else of the host's apt stays there."""


@dataclass(frozen=True)
class Mirror:
    """What mmdebstrap's apt needs to know. Empty ``sources``: mmdebstrap's own default."""

    sources: tuple[str, ...]
    options: tuple[str, ...]


def host_mirror(release: str) -> Mirror:
    """Ask apt; die if Debian's archive keys are missing, for nothing could be verified then."""
    keyring = next((path for path in KEYRINGS if path.exists()), None)
    if keyring is None:
        die(
            "Debian's archive keys are not installed, so packages cannot be verified",
            "make setup",
            status=Status.MISSING,
        )
    targets = _ask("apt-get", "indextargets", "--format", TARGET_FORMAT, "Created-By: Packages")
    options = _ask("apt-config", "dump", "--format", "%f %v%n")
    return Mirror(map_sources(targets, release, keyring), carried_options(options))


def map_sources(targets: Iterable[str], release: str, keyring: Path) -> tuple[str, ...]:
    """Map apt's index targets of any Debian release to sources.list lines for ``release``.

    Only archives that every release has are mapped: main, updates, security. Without the main
    archive the rest is useless, and the result is empty.
    """
    found: dict[str, str] = {}
    for line in targets:
        origin, _, rest = line.partition("|")
        label, _, rest = rest.partition("|")
        codename, _, rest = rest.partition("|")
        uri, _, component = rest.partition("|")
        if origin != "Debian" or component != "main":
            continue
        if label == "Debian-Security":
            found.setdefault(f"{release}-security", uri)
        elif label == "Debian" and re.fullmatch(r"\w+-updates", codename):
            found.setdefault(f"{release}-updates", uri)
        elif label == "Debian" and re.fullmatch(r"\w+", codename):
            found.setdefault(release, uri)
    if release not in found:
        return ()
    suites: tuple[str, ...] = (release, f"{release}-updates", f"{release}-security")
    if release in ROLLING:
        suites = (release,)
    return tuple(
        f"deb [signed-by={keyring}] {found[suite]} {suite} main"
        for suite in suites
        if suite in found
    )


def carried_options(dump: Iterable[str]) -> tuple[str, ...]:
    """Pick proxies and the like from ``apt-config dump`` lines of the form ``Key value``."""
    chosen = []
    for line in dump:
        key, _, value = line.partition(" ")
        if value and CARRIED.fullmatch(key):
            quoted = value.replace('"', "%22")
            chosen.append(f'{key} "{quoted}";')
    return tuple(chosen)


def _ask(*argv: str) -> list[str]:
    """Lines that a query of apt prints; none where there is no apt."""
    try:
        done = run_tool(argv)
    except FileNotFoundError:
        return []
    return done.stdout.splitlines() if done.returncode == 0 else []
