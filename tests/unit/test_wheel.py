# SPDX-License-Identifier: BSD-2-Clause
"""A wheel of the lab needs no checkout: what it compiles for its guests is inside."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lab.build import DBOS, REDIS, TABBY, source_files
from lab.config import source_of
from lab.requirements.spec import load_requirements
from lab.system.debs import SOURCES as PACKAGED

ROOT = Path(__file__).resolve().parents[2]
BUILD = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build one from a copy of what git knows, and unpack it."""
    scratch = tmp_path_factory.mktemp("wheel")
    checkout = scratch / "checkout"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            target = checkout / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((ROOT / name).read_bytes())
    built = subprocess.run(
        [sys.executable, "-c", BUILD, str(scratch)],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    [wheel] = scratch.glob("dbos_lab-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(scratch / "installed")
    return scratch / "installed"


def test_it_has_every_source_that_is_compiled_for_a_guest(unpacked: Path) -> None:
    source = source_of(unpacked / "lab")
    assert source == unpacked / "lab/sources"
    for bundle in (DBOS, REDIS, TABBY, PACKAGED):
        ours = list(source_files(ROOT, bundle))
        assert list(source_files(source, bundle)) == ours
        assert all((source / path).read_bytes() == (ROOT / path).read_bytes() for path in ours)


def test_it_knows_what_machines_need(unpacked: Path) -> None:
    assert load_requirements(source_of(unpacked / "lab")) == load_requirements(ROOT)


def test_it_has_every_image_and_no_product(unpacked: Path) -> None:
    images = {path.name for path in (unpacked / "lab/sources/images").rglob("*") if path.is_file()}
    assert images == {path.name for path in (ROOT / "images").rglob("*") if path.is_file()}
    assert not [path for path in unpacked.rglob("*") if path.suffix in (".o", ".ko", ".a")]


def test_a_checkout_uses_its_own() -> None:
    assert source_of(ROOT / "lab") == ROOT
