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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.config import Config
from lab.deadline import Deadline
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
from lab.image.tree import inside
from lab.tool import run_tool

PRODUCTS = (
    *("*.o", "*.o.d", "*.d", "*.a", "*.so", "*.so.*", "*.ko", "*.mod", "*.mod.c", "*.pyc", "*~"),
    *("Module.symvers", "modules.order", "bin", "build", "__pycache__", ".*"),
)
"""Names, of files or directories, that are made from sources and so are none."""
MARK = "lab: building "
COMPILE_SECONDS = 900.0
"""All components; a busy host needs one minute."""


@dataclass(frozen=True)
class Bundle:
    """What is built together and cached as one entry: paths in the checkout."""

    components: tuple[str, ...]
    """Directories with a makefile each, in the order in which they are built."""
    module: str
    programs: str
    """The directory in which the last of the makefiles puts programs."""


DBOS = Bundle(("kern", "libdbos", "lab/agent", "tests/guest"), "kern/dune.ko", "tests/guest/bin")
REDIS = Bundle(("kern", "libdbos", "apps/redis"), "kern/dune.ko", "apps/redis/bin")
"""For images with Redis's sources in their toolchain."""
TABBY = Bundle(("kern", "libdbos", "apps/tabby"), "kern/dune.ko", "apps/tabby/bin")
"""What is measured on buffer pools."""


@dataclass(frozen=True)
class Artefacts:
    """What was built. ``directory`` has the layout of the checkout."""

    directory: Path
    module: Path
    programs: tuple[Path, ...]


def build_guest_programs(
    config: Config, image: Image, report: Report, bundle: Bundle = DBOS
) -> Artefacts:
    """Return the artefacts of ``bundle`` for ``image``, built first if the cache lacks them."""
    sources = {
        path: (config.source / path).read_bytes() for path in source_files(config.source, bundle)
    }
    for component in bundle.components:
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
        _compile(image, bundle, partial, log, report)
        _check_module(partial, bundle.module, image)
        if not _programs(partial / bundle.programs):
            die(
                f"{bundle.components[-1]} was built, but left no program in {bundle.programs}",
                f"check {bundle.components[-1]}/Makefile",
                status=Status.BUILD,
            )

    ensure_entry(entry, fill, report)
    return Artefacts(entry, entry / bundle.module, _programs(entry / bundle.programs))


def source_files(root: Path, bundle: Bundle = DBOS) -> Iterator[str]:
    """Yield the sources of the bundle, relative to ``root``, in a fixed order."""
    for component in bundle.components:
        for directory, directories, files in os.walk(root / component):
            directories[:] = sorted(name for name in directories if not _is_product(name))
            for name in sorted(files):
                path = Path(directory, name)
                if not _is_product(name) and path.is_file():
                    yield str(path.relative_to(root))


def _is_product(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in PRODUCTS)


def build_argv(image: Image, bundle: Bundle, source: Path, jobs: int) -> list[str]:
    """Build the command line that compiles the copy of the sources at ``source``; needs root."""
    headers = f"/lib/modules/{image.kernel_release}/build"
    make = f"make --no-print-directory -j{jobs}"
    script = "; ".join(
        f"echo '{MARK}{component}'; {make} -C /src/{component} KDIR={headers}"
        for component in bundle.components
    )
    return inside(image.toolchain, source, ["sh", "-ec", script])


def _compile(image: Image, bundle: Bundle, source: Path, log: Path, report: Report) -> None:
    require_programs("setpriv", "unshare", "mount", "chroot", "modinfo")
    require_containment()
    begun: list[str] = []

    def note(line: str) -> None:
        if line.startswith(MARK):
            begun.append(line.removeprefix(MARK))
            report(f"compiling {begun[-1]}")

    jobs = len(os.sched_getaffinity(0))
    status = run_logged(
        contained_here(build_argv(image, bundle, source, jobs)),
        log,
        environment=tool_environment(),
        deadline=Deadline.after(COMPILE_SECONDS, "compiling"),
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


def _check_module(directory: Path, module: str, image: Image) -> None:
    """Die unless the guest's kernel will take the module: a mismatch shows only at insmod."""
    component = Path(module).parent
    if not (directory / module).is_file():
        die(
            f"{component} was built, but left no {module}",
            f"check {component}/Makefile",
            status=Status.BUILD,
        )
    argv = ["modinfo", "--field", "vermagic", str(directory / module)]
    done = run_tool(argv, environment=tool_environment())
    built_for = done.stdout.split(" ", 1)[0].strip()
    if built_for != image.kernel_release:
        die(
            f"{module} was built for kernel {built_for or '(unknown)'}, "
            f"but the guest runs {image.kernel_release}",
            f"check KDIR in {component}/Makefile",
            status=Status.BUILD,
            detail=done.stderr,
        )


def _programs(directory: Path) -> tuple[Path, ...]:
    return tuple(
        sorted(path for path in directory.glob("*") if os.access(path, os.X_OK) and path.is_file())
    )
