# SPDX-License-Identifier: BSD-2-Clause
"""Locked, drifted and offline builds: real apt, real packages, an archive of three."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fake_archive import DATE, RELEASE, FakeArchive

from lab.config import Config
from lab.errors import LabError, Status
from lab.image import build, resolve
from lab.image.build import ensure_image, find_image
from lab.image.contain import require_containment
from lab.image.lock import lock_path, read_lock
from lab.image.selection import pool_of, refresh
from lab.image.spec import GuestSpec, ImageSpec, KernelSpec, ToolchainSpec

KERNEL = "6.1.0-1-amd64"
SPEC = ImageSpec(
    name="tiny",
    release=RELEASE,
    kernel=KernelSpec(("kernel",)),
    guest=GuestSpec(packages=("tool",), programs=(), libraries=(), modules=()),
    toolchain=ToolchainSpec(packages=("headers",), links=()),
    drop=("usr/share/doc",),
)


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeArchive:
    try:
        require_containment()
    except LabError as error:
        pytest.skip(str(error))
    archive = FakeArchive(tmp_path / "archive")
    archive.publish(
        "kernel", "1", {f"boot/vmlinuz-{KERNEL}": "vmlinuz", f"lib/modules/{KERNEL}/x": ""}
    )
    archive.publish("headers", "1", {f"usr/src/linux-headers-{KERNEL}/Makefile": ""})
    archive.publish("library", "1", {"lib/library": "one"})
    archive.publish(
        "tool", "1", {"bin/tool": "one", "usr/share/doc/tool": "long"}, depends="library"
    )
    monkeypatch.setattr(resolve, "host_mirror", lambda _release: archive.mirror)
    monkeypatch.setattr(build, "build_initramfs", lambda _s, tree, _r, _i: contents(tree))
    return archive


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return checkout(tmp_path / "first")


def checkout(root: Path) -> Config:
    """Make a checkout without a lock, with a cache of its own."""
    (root / "images").mkdir(parents=True)
    (root / "images" / "init").write_text("init")
    return Config(source=root, cache=root / "cache", runs=root / "runs")


def contents(tree: Path) -> bytes:
    """List every file of a tree with its content, in place of an initramfs."""
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    return b"".join(str(path.relative_to(tree)).encode() + path.read_bytes() for path in files)


def silent(_note: str) -> None:
    pass


def refused(config: Config, build_it: Callable[[], object]) -> LabError:
    with pytest.raises(LabError) as caught:
        build_it()
    assert not list((config.cache / "packages").glob("tiny-*[!k]"))
    return caught.value


def locked_build(config: Config) -> LabError:
    return refused(config, lambda: ensure_image(config, SPEC, silent, locked=True))


def test_lock_holds_all_packages_and_the_state_of_the_archive(
    config: Config, archive: FakeArchive
) -> None:
    changed = refresh(config, SPEC, silent)
    lock = read_lock(lock_path(config.source, "tiny"))
    assert lock is not None
    assert [package.name for package in lock.packages] == ["headers", "kernel", "library", "tool"]
    assert [str(change) for change in changed] == [
        f"{name}: not locked -> 1" for name in ("headers", "kernel", "library", "tool")
    ]
    assert lock.resolved == ((RELEASE, DATE),)
    assert str(archive.root) not in lock.text()
    assert refresh(config, SPEC, silent) == ()


def test_damaged_lock_is_written_anew(config: Config, archive: FakeArchive) -> None:
    lock_path(config.source, "tiny").write_text("damaged")
    assert len(refresh(config, SPEC, silent)) == 4
    assert read_lock(lock_path(config.source, "tiny")) is not None


def test_same_lock_elsewhere_without_a_mirror_gives_the_same_image(
    config: Config, archive: FakeArchive, tmp_path: Path
) -> None:
    refresh(config, SPEC, silent)
    first = ensure_image(config, SPEC, silent, locked=True)
    assert first.locked
    assert b"usr/share/doc" not in first.initramfs.read_bytes()
    second_config = checkout(tmp_path / "elsewhere")
    shutil.copy(lock_path(config.source, "tiny"), second_config.source / "images")
    shutil.copytree(pool_of(config).directory, pool_of(second_config).directory)
    shutil.rmtree(archive.root)
    second = ensure_image(second_config, SPEC, silent, locked=True)
    assert second.initramfs != first.initramfs
    assert second.digest == first.digest


def test_superseded_version_is_fetched_while_the_mirror_has_its_file(
    config: Config, archive: FakeArchive
) -> None:
    refresh(config, SPEC, silent)
    archive.publish("library", "2", {"lib/library": "two"})
    image = ensure_image(config, SPEC, silent, locked=True)
    assert b"lib/libraryone" in image.initramfs.read_bytes()


def drift(archive: FakeArchive) -> None:
    old = archive.publish("library", "1", {"lib/library": "one"})
    archive.publish("library", "2", {"lib/library": "two"})
    old.unlink()


def test_drift_is_refused_package_by_package(config: Config, archive: FakeArchive) -> None:
    refresh(config, SPEC, silent)
    drift(archive)
    archive.publish("tool", "1", {"bin/tool": "another"}, depends="library, extra")
    archive.publish("extra", "3", {"lib/extra": ""})
    error = locked_build(config)
    assert error.status is Status.IMAGE
    assert "no longer has 2 packages" in error.message
    assert "dbos-lab image lock --image tiny" in error.hint
    lines = [line.strip() for line in error.detail.splitlines()[1:]]
    assert lines[0] == "library: 1 -> 2"
    assert lines[1].startswith("tool: 1 has other content: SHA-256 ")
    assert lines[2:] == ["extra: not locked -> 3"]


def test_by_default_drift_is_followed_once_and_told(config: Config, archive: FakeArchive) -> None:
    refresh(config, SPEC, silent)
    drift(archive)
    notes: list[str] = []
    image = ensure_image(config, SPEC, notes.append)
    assert "not the packages of images/tiny.lock, but what the mirror has today" in notes
    assert not image.locked
    assert image.summary == f"{KERNEL}, not the packages of images/tiny.lock"
    assert b"lib/librarytwo" in image.initramfs.read_bytes()
    shutil.rmtree(archive.root)
    assert ensure_image(config, SPEC, silent) == find_image(config, SPEC) == image


def test_new_lock_ends_the_substitution(config: Config, archive: FakeArchive) -> None:
    refresh(config, SPEC, silent)
    drift(archive)
    assert not ensure_image(config, SPEC, silent).locked
    archive.publish("library", "3", {"lib/library": "three"})
    refresh(config, SPEC, silent)
    image = ensure_image(config, SPEC, silent)
    assert image.locked
    assert b"lib/librarythree" in image.initramfs.read_bytes()


def test_without_a_lock_the_packages_are_resolved(config: Config, archive: FakeArchive) -> None:
    assert "does not exist" in locked_build(config).message
    assert not ensure_image(config, SPEC, silent).locked


def test_lock_of_another_definition_is_not_used(config: Config, archive: FakeArchive) -> None:
    refresh(config, replace(SPEC, kernel=KernelSpec(("tool",))), silent)
    assert "was made for other packages" in locked_build(config).message
    assert not ensure_image(config, SPEC, silent).locked


def test_missing_files_are_named_when_there_is_no_mirror(
    config: Config, archive: FakeArchive
) -> None:
    refresh(config, SPEC, silent)
    shutil.rmtree(archive.root)
    error = locked_build(config)
    assert "4 packages of tiny are not in the cache" in error.message
    for name in ("headers 1", "kernel 1", "library 1", "tool 1"):
        assert f"  {name} (SHA-256 " in error.detail


def test_listed_package_that_does_not_come_is_no_drift(
    config: Config, archive: FakeArchive
) -> None:
    refresh(config, SPEC, silent)
    next(archive.root.glob("pool/main/tool/*.deb")).unlink()
    error = refused(config, lambda: ensure_image(config, SPEC, silent))
    assert "1 packages of tiny could not be downloaded" in error.message
    assert "tool 1" in error.detail


def test_damaged_file_in_the_cache_is_fetched_again(config: Config, archive: FakeArchive) -> None:
    refresh(config, SPEC, silent)
    digest = ensure_image(config, SPEC, silent, locked=True).digest
    for file in pool_of(config).directory.iterdir():
        file.write_bytes(b"damaged")
    shutil.rmtree(config.cache / "packages")
    shutil.rmtree(config.cache / "images")
    assert ensure_image(config, SPEC, silent, locked=True).digest == digest
