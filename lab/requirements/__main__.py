# SPDX-License-Identifier: BSD-2-Clause
"""``python -m lab.requirements``: write the generated files anew, and say which changed."""

from __future__ import annotations

import sys

from lab.config import Config
from lab.errors import LabError
from lab.requirements.written import generated


def main() -> int:
    """Return the exit status."""
    root = Config.from_environment().source
    try:
        for path, text in generated(root).items():
            file = root / path
            if not file.exists() or file.read_text() != text:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
                print(path)
    except LabError as error:
        print(error, file=sys.stderr)
        return error.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
