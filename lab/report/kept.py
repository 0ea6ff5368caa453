# SPDX-License-Identifier: BSD-2-Clause
"""``python -m lab.report.kept FILE``: sessions and kept machines in one archive, to be sent away.

One file, because names of tests and machines may have what a CI's store of files refuses.
"""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

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


if __name__ == "__main__":
    print(f"{sys.argv[1]}: {pack(Config.from_environment(), Path(sys.argv[1]))}")
