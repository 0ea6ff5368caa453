# SPDX-License-Identifier: BSD-2-Clause
"""What can be known of the guest images without building one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from lab.config import Config
from lab.image.build import find_image
from lab.image.spec import available_images, load_image_spec
from lab.session.kernel import series


@dataclass(frozen=True)
class Known:
    """An image, as far as it is known."""

    kernel: str
    """The release of its kernel; empty if neither the image nor its lock file exists."""
    digest: str
    """Empty if it is not built."""


def catalogue(config: Config) -> dict[str, Known]:
    """Return all images of the checkout, by name."""
    return {name: _look(config, name) for name in available_images(config.source)}


def _look(config: Config, name: str) -> Known:
    image = find_image(config, load_image_spec(config.source, name))
    if image is not None:
        return Known(image.kernel_release, image.digest)
    lock = config.source / "images" / f"{name}.lock"
    text = lock.read_text(encoding="utf-8") if lock.exists() else ""
    package = re.search(r'"linux-image-(\d[^"]*)"', text)
    return Known(package[1] if package else "", "")


def labels(images: Mapping[str, Known]) -> dict[str, str]:
    """Name each image by its kernel's series, with the image's name if two have the same.

    Over all images there are, so that a label does not depend on what a session selects.
    """
    shared = Counter(series(image.kernel) for image in images.values())
    return {name: _label(name, image, shared) for name, image in images.items()}


def _label(name: str, image: Known, shared: Counter[str]) -> str:
    if not image.kernel:
        return name
    number = series(image.kernel)
    return f"{number}@{name}" if shared[number] > 1 else number
