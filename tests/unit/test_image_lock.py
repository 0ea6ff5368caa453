# SPDX-License-Identifier: BSD-2-Clause
"""Lock files: written and read without loss, refused when damaged, compared package by package."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image.drift import changes
from lab.image.lock import Lock, LockedPackage, lock_path, read_lock
from lab.image.spec import available_images, load_image_spec

SOURCE = Path(__file__).parents[2]


def package(name: str, version: str, content: str = "a") -> LockedPackage:
    return LockedPackage(
        name=name,
        version=version,
        architecture="amd64",
        archive="Debian",
        path=f"pool/main/{name}_{version}_amd64.deb",
        size=1,
        sha256=content * 64,
    )


LOCK = Lock("bookworm", ("gcc", "make"), (("bookworm", "a date"),), (package("gcc", "1:12"),))


def of(*packages: LockedPackage) -> Lock:
    return replace(LOCK, packages=packages)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.lock").write_text(LOCK.text())
    assert read_lock(tmp_path / "x.lock") == LOCK
    assert read_lock(tmp_path / "y.lock") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"release"', '"relaese"'),
        ('"size": 1', '"size": "1"'),
        ("a" * 64, "../../etc/passwd"),
        ('"name": "gcc", ', ""),
        ("}\n", ""),
        ("[\n", "[[\n"),
        ("{", "[1]\n"),
    ],
)
def test_damaged_file_is_one_sentence(tmp_path: Path, old: str, new: str) -> None:
    assert old in LOCK.text()
    (tmp_path / "x.lock").write_text(LOCK.text().replace(old, new))
    with pytest.raises(LabError) as caught:
        read_lock(tmp_path / "x.lock")
    assert caught.value.status is Status.USAGE
    assert str(tmp_path / "x.lock") in caught.value.message
    assert "dbos-lab image lock --image x" in caught.value.hint


def test_key_is_the_content_of_the_packages_not_the_day() -> None:
    assert replace(LOCK, resolved=()).canonical() == LOCK.canonical()
    assert of(package("gcc", "1:12", "b")).canonical() != LOCK.canonical()


UNLOCKED = {"debian-sid"}
"""They say why in their definition."""


@pytest.mark.parametrize("name", sorted(set(available_images(SOURCE)) - UNLOCKED))
def test_every_image_of_this_checkout_is_locked_without_naming_a_mirror(name: str) -> None:
    spec, lock = load_image_spec(SOURCE, name), read_lock(lock_path(SOURCE, name))
    assert lock is not None
    assert lock.fits(spec)
    assert set(spec.packages) <= {locked.name for locked in lock.packages}
    assert "//" not in lock_path(SOURCE, name).read_text()


def test_changes_are_one_line_a_package() -> None:
    locked = of(package("gcc", "1"), package("kernel-1", "1"), package("make", "4"))
    available = of(package("gcc", "2", "b"), package("kernel-2", "1", "c"), package("make", "4"))
    assert [str(change) for change in changes(locked, available)] == [
        "gcc: 1 -> 2",
        "kernel-1: 1 -> not needed any more, or not there",
        "kernel-2: not locked -> 1",
    ]


def test_same_version_with_other_content_is_a_change() -> None:
    (change,) = changes(of(package("gcc", "1", "a")), of(package("gcc", "1", "b")))
    assert str(change) == "gcc: 1 has other content: SHA-256 aaaaaaaaaaaa -> bbbbbbbbbbbb"
