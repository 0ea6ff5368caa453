# SPDX-License-Identifier: BSD-2-Clause
"""From an image definition to files a machine can boot, through two cached steps.

1. *packages*: the unpacked tree, slow, needs the mirror. Also the toolchain.
2. *images*: kernel and initramfs cut out of it, under a second. A change to ``init`` costs only
   this.

The key of each step is the content of all that goes into it: the definition, and the code that
reads it. The mirror's state is deliberately no part of the key: an image changes when it is asked
to, not when Debian publishes an update.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from lab.config import Config
from lab.errors import Status, die
from lab.image.contain import require_programs
from lab.image.initramfs import build_initramfs
from lab.image.packages import MANIFEST, kernel_release, unpack_packages
from lab.image.spec import ImageSpec
from lab.image.store import Report, content_key, ensure_entry

PACKAGE_SOURCES = ("mirror.py", "packages.py")
IMAGE_SOURCES = (
    "build.py",
    "initramfs.py",
    "libraries.py",
    "modules.py",
    "../machine/cpio.py",
)


@dataclass(frozen=True)
class Image:
    """A built image. ``initramfs`` lacks the seed, which each machine appends."""

    name: str
    release: str
    kernel: Path
    initramfs: Path
    kernel_release: str
    digest: str
    """SHA-256 over kernel and initramfs."""
    toolchain: Path
    """A tree to chroot into for building, with the headers of exactly this kernel."""
    manifest: Path
    """One line per package: name, version, SHA-256 of the ``.deb``."""


def ensure_image(config: Config, spec: ImageSpec, report: Report) -> Image:
    """Return the image, built first if the cache lacks it. ``report`` gets short progress notes."""
    init = _init(config)
    packages, entry = _places(config, spec, init)
    log = config.cache / "logs" / f"mmdebstrap-{spec.name}.log"

    def fill_packages(partial: Path) -> None:
        unpack_packages(spec, partial / "tree", log, report)

    def fill_image(partial: Path) -> None:
        require_programs("readelf")
        report("packing the initramfs")
        _pack(spec, packages / "tree", init, partial)

    ensure_entry(packages, fill_packages, report)
    ensure_entry(entry, fill_image, report)
    return _load(spec, entry, packages / "tree")


def find_image(config: Config, spec: ImageSpec) -> Image | None:
    """Return the image if it is built already."""
    packages, entry = _places(config, spec, _init(config))
    return _load(spec, entry, packages / "tree") if packages.is_dir() and entry.is_dir() else None


def _init(config: Config) -> bytes:
    return (config.source / "images" / "init").read_bytes()


def _places(config: Config, spec: ImageSpec, init: bytes) -> tuple[Path, Path]:
    """Where the two steps keep their products."""
    packages_key = content_key([spec.canonical(), *_own_sources(PACKAGE_SOURCES)])
    image_key = content_key([packages_key.encode(), init, *_own_sources(IMAGE_SOURCES)])
    return (
        config.cache / "packages" / f"{spec.name}-{packages_key}",
        config.cache / "images" / f"{spec.name}-{image_key}",
    )


def _own_sources(names: tuple[str, ...]) -> list[bytes]:
    return [(Path(__file__).parent / name).read_bytes() for name in names]


def _pack(spec: ImageSpec, tree: Path, init: bytes, target: Path) -> None:
    release = kernel_release(tree, spec)
    kernel = (tree / "boot" / f"vmlinuz-{release}").read_bytes()
    initramfs = build_initramfs(spec, tree, release, init)
    (target / "vmlinuz").write_bytes(kernel)
    (target / "initramfs.cpio").write_bytes(initramfs)
    shutil.copyfile(tree / MANIFEST, target / MANIFEST)
    record = {
        "kernel_release": release,
        "digest": hashlib.sha256(kernel + initramfs).hexdigest(),
    }
    (target / "image.json").write_text(json.dumps(record) + "\n")


def _load(spec: ImageSpec, entry: Path, tree: Path) -> Image:
    try:
        record = json.loads((entry / "image.json").read_text())
        kernel_release, digest = record["kernel_release"], record["digest"]
    except (OSError, ValueError, KeyError):
        die(
            f"the cached image {entry} is damaged",
            f"rm -r {entry}, then run the same command again",
            status=Status.IMAGE,
        )
    return Image(
        name=spec.name,
        release=spec.release,
        kernel=entry / "vmlinuz",
        initramfs=entry / "initramfs.cpio",
        kernel_release=kernel_release,
        digest=digest,
        toolchain=tree,
        manifest=entry / MANIFEST,
    )
