# SPDX-License-Identifier: BSD-2-Clause
"""The manual pages: one for each command, by click-man."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import click

from lab.docs.commands import NAME


def write_manual(root: click.Group, directory: Path) -> Sequence[Path]:
    """Write ``dbos-lab.1``, ``dbos-lab-run.1``, ... into ``directory``; return their paths."""
    from click_man.core import write_man_pages  # noqa: PLC0415 (of the group docs)

    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.1"):
        old.unlink()
    write_man_pages(NAME, root, version=version(NAME), target_dir=str(directory))
    return sorted(directory.glob("*.1"))
