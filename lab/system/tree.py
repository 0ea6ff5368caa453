# SPDX-License-Identifier: BSD-2-Clause
"""A system's files as its packages' own scripts leave them, by mmdebstrap."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from lab.config import Config
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
from lab.image.lock import Lock, label
from lab.image.selection import chosen_lock, obtain, pool_of
from lab.image.store import FILL_SECONDS, Report, content_key, ensure_entry
from lab.system.repository import make_repository
from lab.system.spec import SystemSpec

SETUP = "images/systems/setup"
"""What is done to a machine's system while and after it is installed."""
REPOSITORY = "srv/packages"
"""Where a system has its own."""
_SOURCES = (Path(__file__), Path(__file__).with_name("repository.py"))


def ensure_tree(config: Config, spec: SystemSpec, report: Report, *, seed: bytes = b"") -> Path:
    """Return the directory with the system ``spec``, installed first if the cache lacks it.

    With a ``seed``, an archive with the keys (``lab.sshkey``), it is set up to be a machine's.
    Only root can: files in it have many owners.
    """
    lock = chosen_lock(config, spec, locked=False)
    if lock is None or not place_of(config, spec, lock, seed).is_dir():
        require_root()
        lock = obtain(config, spec, report, locked=False)
    entry = place_of(config, spec, lock, seed)

    def fill(partial: Path) -> None:
        report("indexing packages")
        make_repository(partial / "packages", lock, pool_of(config))
        log = config.cache / "logs" / f"install-{label(spec)}.log"
        report(f"installing {spec.name}")
        _install(config, spec, partial, seed, log)
        (partial / "tree" / "src").mkdir(exist_ok=True)  # see lab.image.tree

    ensure_entry(entry, fill, report)
    return entry / "tree"


def place_of(config: Config, spec: SystemSpec, lock: Lock, seed: bytes) -> Path:
    """Where the cache has it, or would have it."""
    parts = [spec.canonical(), lock.canonical(), *(path.read_bytes() for path in _SOURCES)]
    if seed:
        parts += [seed, (config.source / SETUP).read_bytes()]
    return config.cache / "systems" / f"{spec.system}-{content_key(parts)}"


def require_root() -> None:
    """Die unless this is root: a namespace with one identity cannot give files to others."""
    if os.geteuid() != 0:
        die(
            "a whole system can be installed by root only",
            "run the same command with sudo",
            status=Status.MISSING,
        )


def mmdebstrap_argv(spec: SystemSpec, packages: Path, tree: Path, hooks: list[str]) -> list[str]:
    """Build the command line. The repository is copied from: nobody in the tree can see it."""
    return [
        "mmdebstrap",
        "--mode=root",
        "--variant=apt" if "apt" in spec.installed else "--variant=essential",
        "--format=directory",
        f"--include={','.join(spec.installed)}",
        *hooks,
        spec.release,
        str(tree),
        f"deb [trusted=yes] copy:{packages} ./",
    ]


def _install(config: Config, spec: SystemSpec, partial: Path, seed: bytes, log: Path) -> None:
    require_programs("mmdebstrap", "apt-get", "dpkg-deb", "unshare", "cpio")
    require_containment()
    temporary = partial / "tmp"
    temporary.mkdir()
    hooks = []
    if seed:
        (temporary / "seed.cpio").write_bytes(seed)
        setup = f'sh "{config.source / SETUP}"'
        hooks = [
            f'--essential-hook={setup} before "$1"',
            f'--customize-hook={setup} after "$1" "{temporary / "seed.cpio"}"',
            f'--customize-hook=cp -a "{partial / "packages"}" "$1/{REPOSITORY}"',
        ]
    status = run_logged(
        contained_here(mmdebstrap_argv(spec, partial / "packages", partial / "tree", hooks)),
        log,
        environment=tool_environment({"TMPDIR": str(temporary)}),
        deadline=Deadline.after(FILL_SECONDS, "installing packages"),
    )
    if status != 0:
        die(
            f"the packages of {spec.name} cannot be installed",
            f"read {log}",
            status=Status.IMAGE,
            detail=f"{tail(log)}\nfull log: {log}",
        )
    shutil.rmtree(temporary)
