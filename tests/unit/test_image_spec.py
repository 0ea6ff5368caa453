# SPDX-License-Identifier: BSD-2-Clause
"""Image definitions: what is accepted, and how clearly the rest is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image.spec import available_images, load_image_spec

SOURCE = Path(__file__).parents[2]
GOOD = """
release: bookworm
kernel: {packages: [linux-image-amd64]}
guest: {packages: [busybox-static], programs: [bin/busybox], libraries: [libc.so.6], modules: [kvm]}
toolchain: {packages: [gcc, make], links: {usr/bin/awk: mawk}}
drop: [./usr/share/doc]
"""


def checkout(root: Path, **images: str) -> Path:
    (root / "images").mkdir()
    for name, text in images.items():
        (root / "images" / f"{name}.yaml").write_text(text)
    return root


def refused(root: Path, name: str) -> LabError:
    with pytest.raises(LabError) as caught:
        load_image_spec(root, name)
    assert caught.value.status is Status.USAGE
    return caught.value


def test_every_image_of_this_checkout_loads() -> None:
    names = available_images(SOURCE)
    assert "debian-12" in names
    for name in names:
        assert load_image_spec(SOURCE, name).name == name


def test_guest_of_debian_12_has_no_compiler_and_no_headers() -> None:
    spec = load_image_spec(SOURCE, "debian-12")
    assert not {"gcc", "binutils", "linux-headers-amd64"} & set(spec.guest.packages)
    assert "gcc" in spec.toolchain.packages
    assert "linux-headers-amd64" in spec.kernel.packages


def test_unknown_name_suggests_the_nearest(tmp_path: Path) -> None:
    root = checkout(tmp_path, **{"debian-12": GOOD, "fedora-40": GOOD, "profiles": "seed: []"})
    error = refused(root, "debain-12")
    assert "did you mean debian-12?" in error.message
    assert "debian-12, fedora-40" in error.hint


def test_profiles_are_no_image(tmp_path: Path) -> None:
    refused(checkout(tmp_path, profiles="seed: []", x=GOOD), "profiles")


@pytest.mark.parametrize("name", ["../debian-12", "", "/etc/passwd", "x.yaml"])
def test_a_name_never_leaves_the_directory(tmp_path: Path, name: str) -> None:
    root = checkout(tmp_path, x=GOOD)
    (root / "debian-12.yaml").write_text(GOOD)
    refused(root, name)


def test_misspelt_key_suggests_the_right_one(tmp_path: Path) -> None:
    root = checkout(tmp_path, x=GOOD.replace("modules:", "moduls:"))
    assert "'moduls'; did you mean 'modules'?" in refused(root, "x").message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("release: bookworm", ""),
        ("release: bookworm", "release: [bookworm]"),
        ("release: bookworm", "release: 12"),
        ("[./usr/share/doc]", "./usr/share/doc"),
        ("./usr/share/doc", "./usr/share/a b"),
        ("./usr/share/doc", r"./usr/share/a\b"),
        ("[gcc, make]", "[gcc, [make]]"),
        ("{usr/bin/awk: mawk}", "[mawk]"),
        ("drop:", "drop: ["),
    ],
)
def test_wrong_shape_is_one_sentence_with_the_file(tmp_path: Path, old: str, new: str) -> None:
    root = checkout(tmp_path, x=GOOD.replace(old, new, 1))
    error = refused(root, "x")
    assert str(root / "images" / "x.yaml") in error.message
    assert "\n" not in error.message


def extending(root: Path, image: str, base: str) -> Path:
    checkout(root, x=image)
    (root / "images" / "base").mkdir()
    (root / "images" / "base" / "common.yaml").write_text(base)
    return root


def test_sections_of_the_base_are_taken_over(tmp_path: Path) -> None:
    rest = GOOD.replace("release: bookworm", "")
    root = extending(tmp_path, "extends: common\nrelease: trixie\n", rest)
    spec = load_image_spec(root, "x")
    assert (spec.release, spec.kernel.packages) == ("trixie", ("linux-image-amd64",))
    assert available_images(root) == ("x",)


@pytest.mark.parametrize(
    ("image", "base", "why"),
    [
        ("extends: commno\nrelease: trixie", GOOD, "extends 'commno'; there is: common"),
        ("extends: [common]\nrelease: trixie", GOOD, "extends ['common']"),
        ("extends: common\nrelease: trixie", GOOD, "release is also in "),
        ("extends: common", "release: trixie", "lacks the key"),
        ("extends: common", "extends: common", "unknown key 'extends'"),
        ("extends: common", "[]", "common.yaml is wrong: the file must be a mapping"),
        ("extends: common", "release: [", "common.yaml is wrong"),
    ],
)
def test_wrong_base_is_one_sentence(tmp_path: Path, image: str, base: str, why: str) -> None:
    error = refused(extending(tmp_path, image, base), "x")
    assert why in error.message
    assert "\n" not in error.message


def test_file_that_is_not_text(tmp_path: Path) -> None:
    root = checkout(tmp_path, x="")
    (root / "images" / "x.yaml").write_bytes(b"\xff\xfe\x00")
    refused(root, "x")


def test_comments_do_not_change_the_cache_key(tmp_path: Path) -> None:
    root = checkout(tmp_path, x=GOOD)
    before = load_image_spec(root, "x").canonical()
    (root / "images" / "x.yaml").write_text(f"# a comment\n{GOOD}")
    assert load_image_spec(root, "x").canonical() == before
    (root / "images" / "x.yaml").write_text(GOOD.replace("[kvm]", "[kvm, ccp]"))
    assert load_image_spec(root, "x").canonical() != before


def test_packages_of_both_products_come_once_and_sorted(tmp_path: Path) -> None:
    root = checkout(tmp_path, x=GOOD.replace("[gcc, make]", "[make, gcc, busybox-static]"))
    expected = ("busybox-static", "gcc", "linux-image-amd64", "make")
    assert load_image_spec(root, "x").packages == expected
