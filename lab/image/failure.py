# SPDX-License-Identifier: BSD-2-Clause
"""Why mmdebstrap failed: its log, searched for the causes a user can do something about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from lab.errors import Status, die
from lab.image.contain import tail
from lab.image.lock import Wanted
from lab.image.store import full_disk

DISK_FULL = ("No space left on device", "Disk quota exceeded")
AGAIN = "then run the same command again"


@dataclass(frozen=True)
class Cause:
    """A pattern in the log, and what to say: ``{0}`` is its group, the rest is the image's."""

    pattern: str
    message: str
    hint: str


CAUSES = (
    Cause(
        r"Failed to fetch (\S+) +(?:Could not (?:resolve|connect)|Temporary failure|Connection "
        r"|Unable to connect|Cannot initiate|Network is unreachable|No route to host)",
        "the Debian mirror cannot be reached: {0}",
        f"check the network and `apt-get update`, {AGAIN}",
    ),
    Cause(
        r"The repository '(\S+) .*' does not have a Release file",
        "the Debian mirror {0} does not carry {release}",
        "check `release` in images/{name}.yaml, and the mirror in the host's apt sources",
    ),
    Cause(
        r"Unable to locate package (\S+)",
        "{release} has no package {0}",
        "correct images/{name}.yaml",
    ),
    Cause(
        r"Package '?([^\s']+)'? has no installation candidate",
        "{release} has no package {0}",
        "correct images/{name}.yaml",
    ),
    Cause(
        r"GPG error: (\S+)",
        "what the mirror {0} serves is not signed by a key of Debian's",
        f"apt-get install --reinstall debian-archive-keyring, {AGAIN}",
    ),
    Cause(
        r"Release file for (\S+) is (?:expired|not valid yet)",
        "the package lists at {0} are out of date, or this host's clock is wrong",
        f"check `date` and the mirror, {AGAIN}",
    ),
    Cause(
        r"Failed to fetch (\S+)",
        "the mirror does not serve {0}",
        f"wait a minute, for mirrors change, {AGAIN}",
    ),
)
"""In order: the first that matches is the cause, later ones are more general."""


def disk_is_full(log: Path) -> bool:
    """Whether the program that wrote ``log`` met a full disk."""
    text = log.read_text(errors="replace")
    return any(sign in text for sign in DISK_FULL)


def explain(spec: Wanted, log: Path, tree: Path) -> NoReturn:
    """Raise the error that tells why resolving ``spec`` in ``tree`` failed."""
    if disk_is_full(log):
        raise full_disk(tree)
    text = log.read_text(errors="replace")
    for cause in CAUSES:
        match = re.search(cause.pattern, text)
        if match:
            message = cause.message.format(match[1], name=spec.name, release=spec.release)
            hint = cause.hint.format(name=spec.name, release=spec.release)
            break
    else:
        message, hint = f"apt could not resolve the packages of {spec.name}", f"read {log}"
    die(message, hint, status=Status.IMAGE, detail=f"{tail(log)}\nfull log: {log}")
