# SPDX-License-Identifier: BSD-2-Clause
"""Installed systems: their definitions, the repository they come from, the disk they boot from."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image.lock import Lock, LockedPackage, lock_path, read_lock
from lab.image.pool import Pool
from lab.system.disk import FIRST_SECTOR, SECTOR, SIZE, boot_sector, embedded
from lab.system.repository import add_packages, make_repository
from lab.system.spec import available_systems, load_system_spec

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = available_systems(ROOT)


@pytest.mark.parametrize("name", SYSTEMS)
def test_every_system_has_a_lock_that_fits(name: str) -> None:
    spec = load_system_spec(ROOT, name)
    lock = read_lock(lock_path(ROOT, name))
    assert lock is not None, f"dbos-lab image lock --image {name}"
    assert lock.fits(spec), f"dbos-lab image lock --image {name}"
    named = {package.name for package in lock.packages}
    assert set(spec.installed) | set(spec.offered) <= named


def test_an_unknown_system_is_told_with_the_nearest_one() -> None:
    with pytest.raises(LabError) as error:
        load_system_spec(ROOT, "debian-21")
    assert error.value.status is Status.USAGE
    assert "systems/debian-12" in f"{error.value.message} {error.value.hint}"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("release: bookworm\ninstalled: []\n", "lacks the key 'offered'"),
        ("release: bookworm\ninstalled: []\nofered: []\n", "did you mean 'offered'"),
        ("release: bookworm\ninstalled: [a b]\noffered: []\n", "where one word must be"),
        ("release: [", "while parsing"),
    ],
)
def test_a_malformed_definition_names_its_mistake(
    tmp_path: Path, text: str, complaint: str
) -> None:
    (tmp_path / "images/systems").mkdir(parents=True)
    (tmp_path / "images/systems/mine.yaml").write_text(text)
    with pytest.raises(LabError) as error:
        load_system_spec(tmp_path, "mine")
    assert error.value.status is Status.USAGE
    assert complaint in error.value.detail


def package(directory: Path, name: str, version: str = "1.0") -> Path:
    """Make a real one."""
    control = directory / name / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: M <m@m.example>\n"
        "Description: one\n"
    )
    file = directory / f"{name}_{version}_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", directory / name, file],
        check=True,
        capture_output=True,
    )
    return file


def paragraphs(directory: Path) -> list[dict[str, str]]:
    text = (directory / "Packages").read_text()
    return [
        dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.M))
        for paragraph in text.strip().split("\n\n")
    ]


def test_a_repository_has_what_the_lock_names_and_can_be_given_more(tmp_path: Path) -> None:
    first, more = package(tmp_path, "first"), package(tmp_path, "more", "2.0")
    digest = hashlib.sha256(first.read_bytes()).hexdigest()
    pool = Pool(tmp_path / "pool")
    pool.directory.mkdir()
    locked = LockedPackage(
        "first", "1.0", "all", "Debian", f"pool/f/{first.name}", first.stat().st_size, digest
    )
    pool.path(locked).write_bytes(first.read_bytes())
    repository = tmp_path / "repository"
    make_repository(repository, Lock("bookworm", ("first",), (), (locked,)), pool)
    assert [entry["Package"] for entry in paragraphs(repository)] == ["first"]
    add_packages(repository, "bookworm", [more])
    listed = paragraphs(repository)
    assert [entry["Package"] for entry in listed] == ["first", "more"]
    for entry in listed:
        content = (repository / entry["Filename"]).read_bytes()
        assert entry["Size"] == str(len(content))
        assert entry["SHA256"] == hashlib.sha256(content).hexdigest()
    index = (repository / "Packages").read_bytes()
    release = (repository / "Release").read_text()
    assert f" {hashlib.sha256(index).hexdigest()} {len(index)} Packages" in release
    assert "Codename: bookworm" in release


def test_the_boot_sector_has_grubs_code_and_one_partition_to_the_disks_end() -> None:
    sector = boot_sector(b"\xeb" * SECTOR)
    assert len(sector) == SECTOR
    assert sector[:440] == b"\xeb" * 440
    assert sector[440:446] == bytes(6)  # the code must not become the disk's signature
    entry = sector[446:462]
    assert (entry[0], entry[4]) == (0x80, 0x83)
    start, count = (int.from_bytes(entry[at : at + 4], "little") for at in (8, 12))
    assert (start, start + count) == (FIRST_SECTOR, SIZE // SECTOR)
    assert sector[462:] == bytes(48) + b"\x55\xaa"


def test_grub_must_fit_before_the_partition() -> None:
    room = (FIRST_SECTOR - 1) * SECTOR
    assert len(embedded(bytes(room))) == room
    with pytest.raises(LabError, match="before the partition"):
        embedded(bytes(room + 1))
