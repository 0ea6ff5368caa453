# SPDX-License-Identifier: BSD-2-Clause
"""From an image definition to files a machine can boot, through two cached steps.

1. *packages*: the unpacked tree, slow, its files perhaps fetched first. Also the toolchain. Where
   the kernel is to be compiled, this is the step that does it.
2. *images*: kernel and initramfs cut out of it, under a second. A change to ``init`` costs only
   this.

The key of each step is the content of all that goes into it: the definition, the lock with every
package's SHA-256, and the code that reads them. The mirror's state is deliberately no part of the
key: an image changes when its lock does, not when Debian publishes an update.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from lab.config import Config
from lab.errors import Status, die
from lab.image.contain import require_programs
from lab.image.initramfs import build_initramfs
from lab.image.kernel import compile_kernel, config_of
from lab.image.lock import Lock
from lab.image.packages import index_modules, kernel_file, kernel_release, unpack_packages
from lab.image.selection import chosen_lock, is_committed, obtain, pool_of
from lab.image.spec import ImageSpec
from lab.image.store import Report, content_key, ensure_entry

MANIFEST = "packages.lock"
PACKAGE_SOURCES = ("packages.py",)
KERNEL_SOURCES = ("kernel.py", "tree.py")
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
    """The lock it was built from: name, version, SHA-256 of each package."""
    locked: bool
    """Whether that is the checkout's lock, rather than what the mirror had instead."""

    @property
    def summary(self) -> str:
        """A few words for people: the kernel, and whether this image is the one that is locked."""
        if self.locked:
            return self.kernel_release
        return f"{self.kernel_release}, not the packages of images/{self.name}.lock"


def ensure_image(config: Config, spec: ImageSpec, report: Report, *, locked: bool = False) -> Image:
    """Return the image, built first if the cache lacks it. ``report`` gets short progress notes.

    ``locked``: from exactly the checkout's lock, or not at all (see ``lab.image.selection``).
    """
    init = _init(config)
    lock = chosen_lock(config, spec, locked=locked)
    if lock is None or not _places(config, spec, init, lock)[0].is_dir():
        lock = obtain(config, spec, report, locked=locked)
    packages, entry = _places(config, spec, init, lock)
    log = config.cache / "logs" / f"unpack-{spec.name}.log"

    def fill_packages(partial: Path) -> None:
        tree = partial / "tree"
        unpack_packages(spec, tree, lock=lock, pool=pool_of(config), log=log, report=report)
        if spec.kernel.source:
            kernel_log = log.with_name(f"kernel-{spec.name}.log")
            compile_kernel(spec, tree, config_of(config.source, spec.kernel), kernel_log, report)
        report("indexing kernel modules")
        index_modules(tree, spec)

    def fill_image(partial: Path) -> None:
        require_programs("readelf")
        report("packing the initramfs")
        _pack(spec, lock, packages / "tree", init, partial)

    ensure_entry(packages, fill_packages, report)
    ensure_entry(entry, fill_image, report)
    return _load(config, spec, lock, packages / "tree", entry)


def find_image(config: Config, spec: ImageSpec) -> Image | None:
    """Return the image if it is built already."""
    lock = chosen_lock(config, spec, locked=False)
    if lock is None:
        return None
    packages, entry = _places(config, spec, _init(config), lock)
    if not (packages.is_dir() and entry.is_dir()):
        return None
    return _load(config, spec, lock, packages / "tree", entry)


def _init(config: Config) -> bytes:
    return (config.source / "images" / "init").read_bytes()


def _places(config: Config, spec: ImageSpec, init: bytes, lock: Lock) -> tuple[Path, Path]:
    """Where the two steps keep their products."""
    parts = [spec.canonical(), lock.canonical(), *_own_sources(PACKAGE_SOURCES)]
    if spec.kernel.source:
        parts += [config_of(config.source, spec.kernel), *_own_sources(KERNEL_SOURCES)]
    packages_key = content_key(parts)
    image_key = content_key([packages_key.encode(), init, *_own_sources(IMAGE_SOURCES)])
    return (
        config.cache / "packages" / f"{spec.name}-{packages_key}",
        config.cache / "images" / f"{spec.name}-{image_key}",
    )


def _own_sources(names: tuple[str, ...]) -> list[bytes]:
    return [(Path(__file__).parent / name).read_bytes() for name in names]


def _pack(spec: ImageSpec, lock: Lock, tree: Path, init: bytes, target: Path) -> None:
    release = kernel_release(tree, spec)
    kernel = kernel_file(tree, release).read_bytes()
    initramfs = build_initramfs(spec, tree, release, init)
    (target / "vmlinuz").write_bytes(kernel)
    (target / "initramfs.cpio").write_bytes(initramfs)
    (target / MANIFEST).write_text(lock.text())
    record = {
        "kernel_release": release,
        "digest": hashlib.sha256(kernel + initramfs).hexdigest(),
    }
    (target / "image.json").write_text(json.dumps(record) + "\n")


def _load(config: Config, spec: ImageSpec, lock: Lock, tree: Path, entry: Path) -> Image:
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
        locked=is_committed(config, spec, lock),
    )
