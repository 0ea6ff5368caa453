# SPDX-License-Identifier: BSD-2-Clause
"""What can be known of the guest images without building one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from lab.config import Config
from lab.image.build import find_image
from lab.image.kernel import compiled_release, config_of
from lab.image.lock import lock_path, read_lock
from lab.image.spec import ImageSpec, available_images, load_image_spec
from lab.session.kernel import label

_IMAGE_PACKAGE = "linux-image-"


@dataclass(frozen=True)
class Known:
    """An image, as far as it is known."""

    kernel: str
    """The release of its kernel; empty if neither the image nor its lock file exists."""
    digest: str
    """Empty if it is not built."""
    on_request: bool = False
    """Whether ``all`` leaves it out."""
    locked: bool = True
    """Whether it has a lock file, so that its kernel is known before it is built."""


def catalogue(config: Config) -> dict[str, Known]:
    """Return all images of the checkout, by name."""
    return {name: _look(config, name) for name in available_images(config.source)}


def _look(config: Config, name: str) -> Known:
    spec = load_image_spec(config.source, name)
    locked = lock_path(config.source, name).exists()
    image = find_image(config, spec)
    if image is not None:
        return Known(image.kernel_release, image.digest, bool(spec.on_request), locked)
    return Known(_locked_kernel(config, spec), "", bool(spec.on_request), locked)


def _locked_kernel(config: Config, spec: ImageSpec) -> str:
    lock = read_lock(lock_path(config.source, spec.name))
    for package in lock.packages if lock else ():
        if spec.kernel.source and package.name == spec.kernel.source:
            return compiled_release(package.version, config_of(config.source, spec.kernel))
        release = package.name.removeprefix(_IMAGE_PACKAGE)
        if not spec.kernel.source and release[:1].isdigit():
            return release
    return ""


def labels(images: Mapping[str, Known]) -> dict[str, str]:
    """Name each image by its kernel, with the image's name if two have the same.

    Over all images there are, so that a label does not depend on what a session selects; one that
    is only used on request takes no label from one that is always. An image without a lock goes
    by its own name, for its kernel is another one next week.
    """
    always = Counter(_kernel_label(image) for image in images.values() if not image.on_request)
    of_all = Counter(_kernel_label(image) for image in images.values())
    return {
        name: _label(name, image, of_all if image.on_request else always)
        for name, image in images.items()
    }


def _label(name: str, image: Known, among: Counter[str]) -> str:
    own = _kernel_label(image)
    if not own:
        return name
    return f"{own}@{name}" if among[own] > 1 else own


def _kernel_label(image: Known) -> str:
    if not image.kernel or not image.locked:
        return ""
    return label(image.kernel)
