# SPDX-License-Identifier: BSD-2-Clause
"""``python -m lab.compile IMAGE``: does everything compile for this guest? Boots nothing."""

from __future__ import annotations

import sys

from lab.build import build_guest_programs
from lab.config import Config
from lab.errors import LabError
from lab.image.build import ensure_image
from lab.image.spec import load_image_spec
from lab.progress import Progress
from lab.run import note_on


def main(name: str) -> int:
    """Return the exit status."""
    config = Config.from_environment()
    try:
        with Progress().stage(f"Compile for {name}") as stage:
            report = note_on(stage)
            image = ensure_image(config, load_image_spec(config.source, name), report)
            artefacts = build_guest_programs(config, image, report)
            stage.note = image.kernel_release
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.status
    print(artefacts.module)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
