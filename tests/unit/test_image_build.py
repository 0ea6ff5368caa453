# SPDX-License-Identifier: BSD-2-Clause
"""The two cached steps from a definition to an image, without mmdebstrap."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from lab.config import Config
from lab.errors import LabError, Status
from lab.image import build
from lab.image.build import ensure_image
from lab.image.lock import Lock, LockedPackage, read_lock
from lab.image.spec import ImageSpec, KernelSpec, load_image_spec

SPEC = load_image_spec(Path(__file__).parents[2], "debian-12")
RELEASE = "6.1.0-1-amd64"
MAKE = LockedPackage("make", "4.3", "amd64", "Debian", "pool/make.deb", 1, "0" * 64)
LOCK = Lock("bookworm", SPEC.packages, (), (MAKE,))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "init").write_text("init")
    return Config(source=tmp_path, cache=tmp_path / "cache", runs=tmp_path / "runs")


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the two steps by trivial ones that note that they ran."""
    ran: list[str] = []

    def unpack(_spec: ImageSpec, tree: Path, **_how: object) -> None:
        ran.append("unpack")
        (tree / "boot").mkdir(parents=True)
        (tree / "boot" / f"vmlinuz-{RELEASE}").write_bytes(b"kernel")
        (tree / "usr/src" / f"linux-headers-{RELEASE}").mkdir(parents=True)

    def compile_kernel(_spec: ImageSpec, _tree: Path, settings: bytes, *_: object) -> None:
        ran.append(f"compile {settings.decode()}")

    def pack(_spec: ImageSpec, _tree: Path, _release: str, init: bytes) -> bytes:
        ran.append("pack")
        return b"initramfs with " + init

    monkeypatch.setattr(build, "obtain", lambda *_arguments, **_options: LOCK)
    monkeypatch.setattr(build, "chosen_lock", lambda *_arguments, **_options: LOCK)
    monkeypatch.setattr(build, "unpack_packages", unpack)
    monkeypatch.setattr(build, "index_modules", lambda _tree, _spec: None)
    monkeypatch.setattr(build, "compile_kernel", compile_kernel)
    monkeypatch.setattr(build, "build_initramfs", pack)
    return ran


def silent(_note: str) -> None:
    pass


def test_image_has_all_its_parts(config: Config, steps: list[str]) -> None:
    image = ensure_image(config, SPEC, silent)
    assert steps == ["unpack", "pack"]
    assert image.kernel.read_bytes() == b"kernel"
    assert image.initramfs.read_bytes() == b"initramfs with init"
    assert image.digest == hashlib.sha256(b"kernelinitramfs with init").hexdigest()
    assert (image.name, image.release, image.kernel_release) == ("debian-12", "bookworm", RELEASE)
    assert (image.toolchain / "usr/src" / f"linux-headers-{RELEASE}").is_dir()
    assert read_lock(image.manifest) == LOCK


def test_second_call_builds_nothing(config: Config, steps: list[str]) -> None:
    first = ensure_image(config, SPEC, silent)
    assert ensure_image(config, SPEC, silent) == first
    assert len(steps) == 2


def test_changed_init_is_packed_without_the_mirror(config: Config, steps: list[str]) -> None:
    first = ensure_image(config, SPEC, silent)
    (config.source / "images" / "init").write_text("another init")
    second = ensure_image(config, SPEC, silent)
    assert steps == ["unpack", "pack", "pack"]
    assert first.digest != second.digest
    assert first.toolchain == second.toolchain


def test_changed_definition_is_unpacked_anew(config: Config, steps: list[str]) -> None:
    ensure_image(config, SPEC, silent)
    ensure_image(config, replace(SPEC, drop=()), silent)
    assert steps == ["unpack", "pack"] * 2


def test_kernel_is_compiled_for_each_configuration(config: Config, steps: list[str]) -> None:
    own = replace(SPEC, kernel=KernelSpec(SPEC.kernel.packages, source="make", config="own"))
    (config.source / "images/kernels").mkdir()
    for settings in ("one", "two", "one"):
        (config.source / "images/kernels/own.config").write_text(settings)
        ensure_image(config, own, silent)
    assert steps == ["unpack", "compile one", "pack", "unpack", "compile two", "pack"]


def test_on_request_is_no_part_of_an_image(config: Config, steps: list[str]) -> None:
    ensure_image(config, SPEC, silent)
    ensure_image(config, replace(SPEC, on_request="it takes long"), silent)
    assert steps == ["unpack", "pack"]


@pytest.mark.parametrize("record", ["", "{}", '{"digest": "0"}'])
def test_damaged_cache_says_what_to_remove(config: Config, steps: list[str], record: str) -> None:
    entry = ensure_image(config, SPEC, silent).kernel.parent
    (entry / "image.json").write_text(record)
    with pytest.raises(LabError) as caught:
        ensure_image(config, SPEC, silent)
    assert caught.value.status is Status.IMAGE
    assert f"rm -r {entry}" in caught.value.hint
