# SPDX-License-Identifier: BSD-2-Clause
"""What a session ran on and with, as ``session.json`` keeps it and ``replay`` compares it."""

from __future__ import annotations

import time

from lab.config import Config
from lab.image.build import find_image
from lab.image.spec import available_images, load_image_spec
from lab.machine.provenance import git_state, host_facts


def current_facts(config: Config) -> dict[str, object]:
    """Return the facts as they are now; ``images`` has the digest by name, empty if not built."""
    return {
        "started": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "git": git_state(config.source),
        "images": {name: _digest(config, name) for name in available_images(config.source)},
        "host": host_facts(),
    }


def _digest(config: Config, name: str) -> str:
    image = find_image(config, load_image_spec(config.source, name))
    return image.digest if image is not None else ""
