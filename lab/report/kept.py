# SPDX-License-Identifier: BSD-2-Clause
"""``python -m lab.report.kept ARCHIVE``: sessions and kept machines in one archive.

One file, because names of tests and machines may have what a CI's store of files refuses.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import click

from lab.cli import main as run_command
from lab.config import Config


def pack(config: Config, archive: Path) -> int:
    """Write ``archive``; return how many sessions and machines are in it."""
    found = [
        (f"{kind}/{path.name}", path)
        for kind, folder in (("sessions", config.sessions), ("runs", config.runs))
        if folder.is_dir()
        for path in sorted(folder.iterdir())
    ]
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as file:
        for name, path in found:
            file.add(path, name)
    return len(found)


@click.command()
@click.argument("archive", type=click.Path(path_type=Path, dir_okay=False))
def kept(archive: Path) -> None:
    """Pack what the lab has kept on this machine into ARCHIVE, a .tar.gz."""
    click.echo(f"{archive}: {pack(Config.from_environment(), archive)} sessions and machines")


if __name__ == "__main__":
    run_command(kept)
