# SPDX-License-Identifier: BSD-2-Clause
"""Unpack Debian packages into a directory tree with mmdebstrap.

Both products of an image come from one run, so from one state of the mirror: the headers match the
kernel. The packages are unpacked, never configured; that takes seconds, needs no real root, and
gives the same tree every time.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.errors import Status, die
from lab.image.contain import (
    contained_here,
    require_containment,
    require_programs,
    run_logged,
    tool_environment,
)
from lab.image.failure import explain
from lab.image.mirror import Mirror, host_mirror
from lab.image.spec import ImageSpec
from lab.image.store import Report

MERGED = ("bin", "sbin", "lib", "lib64")
MANIFEST = "packages.txt"
"""Inside a tree: one line per package, "name version sha256-of-the-deb"."""
RECORD_PACKAGES = (
    'cd "$1/var/cache/apt/archives" && for deb in *.deb; do '
    'set -- "$1" $(sha256sum "$deb"); '
    'dpkg-deb --show --showformat "\\${Package} \\${Version} $2\\n" "$deb"; '
    f'done >"$1/{MANIFEST}"'
)
APT_OPTIONS = (
    'APT::Sandbox::User "root";',  # a namespace with one identity has no other user to be
    'Acquire::Retries "2";',
    'Acquire::http::Timeout "20";',
    'Acquire::https::Timeout "20";',
)
NOTES = {
    "I: running apt-get update": "reading the package lists",
    "I: downloading packages": "downloading packages",
    "I: extracting archives": "unpacking packages",
}


def mmdebstrap_argv(spec: ImageSpec, mirror: Mirror, tree: Path) -> list[str]:
    """Build the command line. Sources come on standard input: they may carry a password."""
    options = [f"--aptopt={option}" for option in (*APT_OPTIONS, *mirror.options)]
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=extract",
        "--format=directory",
        f"--include={','.join(spec.packages)}",
        *options,
        f"--extract-hook={RECORD_PACKAGES}",
        spec.release,
        str(tree),
        *(["-"] if mirror.sources else []),
    ]


def tar_options(drop: Sequence[str]) -> str:
    """Build ``TAR_OPTIONS`` for the tar that mmdebstrap runs.

    This is how files are left out before they are written, and how a namespace with a single
    identity unpacks files of other owners.
    """
    return " ".join(["--no-same-owner", *(f"--exclude={pattern}" for pattern in drop)])


def unpack_packages(spec: ImageSpec, tree: Path, log: Path, report: Report) -> None:
    """Fill ``tree``; what mmdebstrap says is in ``log``."""
    require_programs("mmdebstrap", "apt-get", "dpkg-deb", "setpriv", "unshare", "depmod")
    require_containment()
    mirror = host_mirror(spec.release)
    scratch = tree.with_name("tmp")
    scratch.mkdir()

    def note(line: str) -> None:
        for start, text in NOTES.items():
            if line.startswith(start):
                report(text)

    status = run_logged(
        contained_here(mmdebstrap_argv(spec, mirror, tree)),
        log,
        environment=tool_environment(
            {"TAR_OPTIONS": tar_options(spec.drop), "TMPDIR": str(scratch)}
        ),
        standard_input="".join(f"{line}\n" for line in mirror.sources).encode(),
        on_line=note,
    )
    if status != 0:
        explain(spec, log, tree)
    for path, target in spec.toolchain.links:
        if not (tree / path).is_symlink():
            (tree / path).symlink_to(target)
    for mount_point in ("dev", "proc", "src"):
        (tree / mount_point).mkdir(exist_ok=True)
    # Releases after the /usr merge ship nothing elsewhere; a script we don't run makes the links.
    for directory in MERGED:
        if not (tree / directory).exists():
            (tree / directory).symlink_to(f"usr/{directory}")
    report("indexing kernel modules")
    _index_modules(tree, kernel_release(tree, spec), spec)


def _index_modules(tree: Path, release: str, spec: ImageSpec) -> None:
    done = subprocess.run(
        ["depmod", "--basedir", str(tree), release],
        env=tool_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        die(
            f"the modules of kernel {release} cannot be indexed",
            f"check `kernel` and `drop` in images/{spec.name}.yaml",
            status=Status.IMAGE,
            detail=done.stderr,
        )


def kernel_release(tree: Path, spec: ImageSpec) -> str:
    """Return the release of the one kernel in ``tree``; its headers must be there too."""
    kernels = sorted(path.name for path in (tree / "boot").glob("vmlinuz-*"))
    if len(kernels) != 1:
        die(
            f"package {spec.kernel} brought {len(kernels)} kernels where one was expected",
            f"check `kernel` in images/{spec.name}.yaml",
            status=Status.IMAGE,
        )
    release = kernels[0].removeprefix("vmlinuz-")
    headers = tree / "usr/src" / f"linux-headers-{release}"
    if not headers.is_dir():
        found = sorted(path.name for path in (tree / "usr/src").glob("linux-headers-*"))
        die(
            f"the mirror has kernel {release} but other headers ({', '.join(found) or 'none'})",
            "wait until the mirror is in step again, then run `apt-get update` and try again",
            status=Status.IMAGE,
        )
    return release
