# SPDX-License-Identifier: BSD-2-Clause
"""What is left out of a tree, and what is checked in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image.packages import kernel_release, tar_options
from lab.image.spec import load_image_spec

SPEC = load_image_spec(Path(__file__).parents[2], "debian-12")


def make_tree(root: Path, *kernels: str, headers: tuple[str, ...] = ()) -> Path:
    (root / "boot").mkdir()
    for release in kernels:
        (root / "boot" / f"vmlinuz-{release}").touch()
    for release in headers:
        (root / "usr/src" / f"linux-headers-{release}").mkdir(parents=True)
    return root


def test_tar_leaves_out_what_the_image_drops() -> None:
    options = tar_options(["./usr/share/doc", "./lib/modules/*/kernel/sound"]).split()
    assert options == [
        "--no-same-owner",
        "--exclude=./usr/share/doc",
        "--exclude=./lib/modules/*/kernel/sound",
    ]


def test_release_is_that_of_the_kernel(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "6.1.0-2-amd64", headers=("6.1.0-2-amd64", "6.1.0-2-common"))
    assert kernel_release(tree, SPEC) == "6.1.0-2-amd64"


def test_headers_of_another_kernel_are_refused(tmp_path: Path) -> None:
    tree = make_tree(tmp_path, "6.1.0-2-amd64", headers=("6.1.0-1-amd64",))
    with pytest.raises(LabError) as caught:
        kernel_release(tree, SPEC)
    assert caught.value.status is Status.IMAGE
    assert "6.1.0-2-amd64" in caught.value.message
    assert "linux-headers-6.1.0-1-amd64" in caught.value.message


@pytest.mark.parametrize("kernels", [(), ("6.1.0-1-amd64", "6.1.0-2-amd64")])
def test_one_kernel_is_expected(tmp_path: Path, kernels: tuple[str, ...]) -> None:
    with pytest.raises(LabError, match=f"brought {len(kernels)} kernels"):
        kernel_release(make_tree(tmp_path, *kernels), SPEC)
