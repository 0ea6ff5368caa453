# SPDX-License-Identifier: BSD-2-Clause
"""Compile the module, the library and the guest programs for a guest, on the host.

The repository's own makefiles do the work, inside the image's toolchain tree: the guest's release
of the compiler, the headers of exactly its kernel. What is built is a copy of the sources, so the
checkout stays clean, and the result is cached by the content of all that went into it.
"""

from __future__ import annotations

import fnmatch
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.config import Config
from lab.errors import Status, die
from lab.image.build import Image
from lab.image.contain import (
    contained_here,
    require_containment,
    require_programs,
    run_logged,
    tail,
    tool_environment,
)
from lab.image.store import Report, content_key, ensure_entry, full_disk

COMPONENTS = ("kern", "libdbos", "tests/guest")
"""Directories with a makefile each, in the order in which they are built."""
MODULE = "kern/dune.ko"
PROGRAMS = "tests/guest/bin"
PRODUCTS = (
    *("*.o", "*.o.d", "*.d", "*.a", "*.so", "*.ko", "*.mod", "*.mod.c", "*.pyc", "*~"),
    *("Module.symvers", "modules.order", "bin", "build", "__pycache__", ".*"),
)
"""Names, of files or directories, that are made from sources and so are none."""
MARK = "lab: building "
ENTER_TREE = r"""
tree=$1 source=$2
mount --bind "$tree" "$tree"
mount -t tmpfs -o mode=0755 dev "$tree/dev"
for node in full null random tty urandom zero; do
	: >"$tree/dev/$node"
	mount --bind "/dev/$node" "$tree/dev/$node"
done
ln -s /proc/self/fd "$tree/dev/fd"
mount -t tmpfs -o mode=1777 tmp "$tree/tmp"
mount -t proc proc "$tree/proc"
mount --bind "$source" "$tree/src"
shift 2
exec chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C "$@"
"""
"""Runs in private namespaces: all these mounts vanish with the last process in them."""


@dataclass(frozen=True)
class Artefacts:
    """What was built. ``directory`` has the layout of the checkout."""

    directory: Path
    module: Path
    programs: tuple[Path, ...]


def build_guest_programs(config: Config, image: Image, report: Report) -> Artefacts:
    """Return the artefacts for ``image``, built first if the cache lacks them."""
    sources = {path: (config.source / path).read_bytes() for path in source_files(config.source)}
    for component in COMPONENTS:
        if f"{component}/Makefile" not in sources:
            die(
                f"{config.source / component} has no Makefile",
                "check that the checkout is complete: git status",
                status=Status.BUILD,
            )
    parts = [Path(__file__).read_bytes(), image.digest.encode(), str(image.toolchain).encode()]
    for path, content in sources.items():
        parts += [path.encode(), content]
    key = content_key(parts)
    entry = config.cache / "artefacts" / f"{image.name}-{key}"
    log = config.cache / "logs" / f"build-{image.name}-{key}.log"

    def fill(partial: Path) -> None:
        for path, content in sources.items():
            target = partial / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)  # what was hashed, even if the file changed since
            shutil.copymode(config.source / path, target)
        _compile(image, partial, log, report)
        _check_module(partial / MODULE, image)
        if not _programs(partial):
            die(
                f"tests/guest was built, but left no program in {PROGRAMS}",
                "check tests/guest/Makefile",
                status=Status.BUILD,
            )

    ensure_entry(entry, fill, report)
    return Artefacts(entry, entry / MODULE, _programs(entry))


def source_files(root: Path) -> Iterator[str]:
    """Yield the sources of all components, relative to ``root``, in a fixed order."""
    for component in COMPONENTS:
        for directory, directories, files in os.walk(root / component):
            directories[:] = sorted(name for name in directories if not _is_product(name))
            for name in sorted(files):
                path = Path(directory, name)
                if not _is_product(name) and path.is_file():
                    yield str(path.relative_to(root))


def _is_product(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in PRODUCTS)


def build_argv(image: Image, source: Path, jobs: int) -> list[str]:
    """Build the command line that compiles the copy of the sources at ``source``; needs root."""
    headers = f"/lib/modules/{image.kernel_release}/build"
    make = f"make --no-print-directory -j{jobs}"
    script = "; ".join(
        f"echo '{MARK}{component}'; {make} -C /src/{component} KDIR={headers}"
        for component in COMPONENTS
    )
    enter = ["sh", "-ec", ENTER_TREE, "enter-tree", str(image.toolchain), str(source)]
    return [*enter, "sh", "-ec", script]


def _compile(image: Image, source: Path, log: Path, report: Report) -> None:
    require_programs("setpriv", "unshare", "mount", "chroot", "modinfo")
    require_containment()
    begun: list[str] = []

    def note(line: str) -> None:
        if line.startswith(MARK):
            begun.append(line.removeprefix(MARK))
            report(f"compiling {begun[-1]}")

    jobs = len(os.sched_getaffinity(0))
    status = run_logged(
        contained_here(build_argv(image, source, jobs)),
        log,
        environment=tool_environment(),
        on_line=note,
    )
    if status == 0:
        return
    detail = f"{tail(log, 25)}\nfull log: {log}"
    if "No space left on device" in detail:
        raise full_disk(source)
    if not begun:
        die(
            f"the toolchain of image {image.name} cannot be entered",
            f"rm -r {image.toolchain.parent}, then run the same command again",
            status=Status.IMAGE,
            detail=detail,
        )
    die(
        f"{begun[-1]} does not compile for kernel {image.kernel_release}",
        f"correct {begun[-1]}, then run the same command again",
        status=Status.BUILD,
        detail=detail,
    )


def _check_module(module: Path, image: Image) -> None:
    """Die unless the guest's kernel will take the module: a mismatch shows only at insmod."""
    if not module.is_file():
        die(f"kern was built, but left no {MODULE}", "check kern/Makefile", status=Status.BUILD)
    done = subprocess.run(
        ["modinfo", "--field", "vermagic", str(module)],
        env=tool_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    built_for = done.stdout.split(" ", 1)[0].strip()
    if built_for != image.kernel_release:
        die(
            f"{MODULE} was built for kernel {built_for or '(unknown)'}, "
            f"but the guest runs {image.kernel_release}",
            "check KDIR in kern/Makefile",
            status=Status.BUILD,
            detail=done.stderr,
        )


def _programs(directory: Path) -> tuple[Path, ...]:
    found = (directory / PROGRAMS).glob("*")
    return tuple(sorted(path for path in found if os.access(path, os.X_OK) and path.is_file()))
