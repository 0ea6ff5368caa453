# SPDX-License-Identifier: BSD-2-Clause
"""``python -m lab.docs``: write the manual pages; the site is MkDocs' to build."""

from __future__ import annotations

import sys

from lab.cli import cli
from lab.config import Config
from lab.docs.manual import write_manual


def main() -> int:
    """Return the exit status."""
    written = write_manual(cli, Config.from_environment().source / "build/man")
    print(next(path for path in written if path.name == "dbos-lab.1"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
