# SPDX-License-Identifier: BSD-2-Clause
"""An image is the same again, built elsewhere from its lock, with no network at all."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.config import Config
from lab.errors import LabError
from lab.image.build import MANIFEST, Image
from lab.image.contain import require_containment, tool_environment
from lab.image.lock import lock_path
from lab.image.selection import obtain, pool_of
from lab.lab import Lab

pytestmark = pytest.mark.lab_boot("seed")

BUILD = """
import sys
from pathlib import Path
from lab.config import Config
from lab.image.build import ensure_image
from lab.image.spec import load_image_spec

root, name = Path(sys.argv[1]), sys.argv[2]
config = Config(source=root, cache=root / "cache", runs=root / "runs")
ensure_image(config, load_image_spec(root, name), lambda _note: None, locked=True)
"""


@pytest.fixture
def elsewhere(lab: Lab, tmp_path: Path) -> Config:
    """Make another checkout whose lock is the one this session's image was built from.

    That is the committed lock as long as mirrors have its packages. The other cache holds the
    package files and nothing else.
    """
    config = Config(source=tmp_path, cache=tmp_path / "cache", runs=tmp_path / "runs")
    shutil.copytree(lab.config.source / "images", tmp_path / "images")
    shutil.copyfile(lab.image.manifest, lock_path(tmp_path, lab.image.name))
    obtain(lab.config, lab.image_spec, lab.report, locked=False)  # the cache may have been pruned
    config.cache.mkdir()
    pool_of(config).directory.symlink_to(pool_of(lab.config).directory)
    return config


def without_network(argv: list[str]) -> list[str]:
    """Run a command where there is not even a loopback interface that is up."""
    identity = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *identity, "--net", "--", *argv]


def tree_digest(tree: Path) -> str:
    """Hash the names, types, permissions and contents of all files."""
    digest = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        status = path.lstat()
        digest.update(f"{path.relative_to(tree)}\0{status.st_mode:o}\0".encode())
        if path.is_symlink():
            digest.update(bytes(path.readlink()))
        elif path.is_file():
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def products(image: Path, toolchain: Path) -> dict[str, str]:
    """SHA-256 of all that an image consists of."""
    names = ("vmlinuz", "initramfs.cpio", MANIFEST)
    files = {name: hashlib.sha256((image / name).read_bytes()).hexdigest() for name in names}
    return {**files, "toolchain": tree_digest(toolchain)}


def test_offline_build_elsewhere_gives_the_same_image(lab: Lab, elsewhere: Config) -> None:
    try:
        require_containment()
    except LabError as error:
        pytest.skip(str(error))
    image: Image = lab.image
    command = [sys.executable, "-c", BUILD, str(elsewhere.source), image.name]
    done = subprocess.run(
        without_network(command),
        env=tool_environment({"PYTHONPATH": str(lab.config.source)}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (built,) = elsewhere.cache.glob("images/*/image.json")
    (tree,) = elsewhere.cache.glob("packages/*/tree")
    assert products(built.parent, tree) == products(image.kernel.parent, image.toolchain)
