# SPDX-License-Identifier: BSD-2-Clause
"""Unpack Debian packages into a directory tree.

Both products of an image come from one lock, so from one state of the mirror: the headers match
the kernel. The packages are unpacked in the lock's order and never configured; that takes seconds,
needs no network and no real root, and gives the same tree every time.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lab.deadline import Deadline
from lab.errors import Status, die
from lab.image.contain import (
    contained_here,
    require_containment,
    require_programs,
    run_logged,
    tail,
    tool_environment,
)
from lab.image.failure import disk_is_full
from lab.image.lock import SOURCE, Lock
from lab.image.pool import Pool
from lab.image.spec import ImageSpec
from lab.image.store import FILL_SECONDS, Report, full_disk
from lab.tool import run_tool

MERGED = ("bin", "sbin", "lib", "lib64")
MOUNT_POINTS = ("dev", "proc", "src", "tmp")
UNPACK = """
tree=$1; shift
while [ $# -gt 0 ]; do
	if [ "$2" = - ]; then
		dpkg-deb --fsys-tarfile "$1" | tar --extract --directory "$tree"
	else
		mkdir -p "$tree/$2"
		tar --extract --file "$1" --strip-components 1 --directory "$tree/$2"
	fi
	shift 2
done
"""
"""Behind each file comes where its sources go, or ``-``.

Not ``dpkg-deb --extract``, which runs its tar without our options."""


def tar_options(drop: Sequence[str]) -> str:
    """Build ``TAR_OPTIONS`` for the tar that unpacks.

    This is how files are left out before they are written, and how a namespace with a single
    identity unpacks files of other owners.
    """
    return " ".join(["--no-same-owner", *(f"--exclude={pattern}" for pattern in drop)])


def unpack_packages(
    spec: ImageSpec, tree: Path, *, lock: Lock, pool: Pool, log: Path, report: Report
) -> None:
    """Make ``tree`` from package files that are all in the pool, but for a kernel to compile."""
    require_programs("dpkg-deb", "tar", "setpriv", "unshare", "depmod")
    require_containment()
    report("unpacking packages")
    tree.mkdir()
    argv = ["sh", "-ec", UNPACK, "unpack", str(tree)]
    for package in lock.packages:
        source = f"usr/src/{package.name}" if package.architecture == SOURCE else "-"
        argv += [str(pool.path(package)), source]
    status = run_logged(
        contained_here(argv),
        log,
        environment=tool_environment({"TAR_OPTIONS": tar_options(spec.drop)}),
        deadline=Deadline.after(FILL_SECONDS, "unpacking the packages"),
    )
    if status != 0 and disk_is_full(log):
        raise full_disk(tree)
    if status != 0:
        die(
            f"the packages of {spec.name} cannot be unpacked",
            f"rm -r {pool.directory}, then run the same command again",
            status=Status.IMAGE,
            detail=f"{tail(log)}\nfull log: {log}",
        )
    for path, target in spec.toolchain.links:
        if not (tree / path).is_symlink():
            (tree / path).symlink_to(target)
    for mount_point in MOUNT_POINTS:
        (tree / mount_point).mkdir(exist_ok=True)
    # Releases after the /usr merge ship nothing elsewhere; a script we don't run makes the links.
    for directory in MERGED:
        if not (tree / directory).exists():
            (tree / directory).symlink_to(f"usr/{directory}")


def index_modules(tree: Path, spec: ImageSpec) -> None:
    """Note what the modules of the tree's kernel depend on, and which devices they are for."""
    release = kernel_release(tree, spec)
    done = run_tool(["depmod", "--basedir", str(tree), release], environment=tool_environment())
    if done.returncode != 0:
        die(
            f"the modules of kernel {release} cannot be indexed",
            f"check `kernel` and `drop` in images/{spec.name}.yaml",
            status=Status.IMAGE,
            detail=done.stderr,
        )


def kernel_file(tree: Path, release: str) -> Path:
    """Where ``tree`` has the kernel; newer packages keep it with its modules, not in ``/boot``."""
    old = tree / "boot" / f"vmlinuz-{release}"
    return old if old.exists() else tree / "lib/modules" / release / "vmlinuz"


def kernel_release(tree: Path, spec: ImageSpec) -> str:
    """Return the release of the one kernel in ``tree``; its headers must be there too."""
    kernels = sorted(
        [path.name.removeprefix("vmlinuz-") for path in tree.glob("boot/vmlinuz-*")]
        + [path.parent.name for path in tree.glob("lib/modules/*/vmlinuz")]
    )
    if len(kernels) != 1:
        die(
            f"the packages of {spec.name} brought {len(kernels)} kernels where one was expected",
            f"check `kernel` in images/{spec.name}.yaml",
            status=Status.IMAGE,
        )
    (release,) = kernels
    headers = tree / "usr/src" / f"linux-headers-{release}"
    if not headers.is_dir():
        found = sorted(path.name for path in (tree / "usr/src").glob("linux-headers-*"))
        die(
            f"the mirror has kernel {release} but other headers ({', '.join(found) or 'none'})",
            "wait until the mirror is in step again, then run `apt-get update` and try again",
            status=Status.IMAGE,
        )
    return release
