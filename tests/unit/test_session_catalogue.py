# SPDX-License-Identifier: BSD-2-Clause
"""How images are called in test ids: the same before and after they are built."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.config import Config
from lab.session.catalogue import Known, catalogue, labels
from lab.session.kernel import flavour

SOURCE = Path(__file__).parents[2]


def test_images_of_this_checkout_before_any_is_built(tmp_path: Path) -> None:
    known = catalogue(Config(source=SOURCE, cache=tmp_path, runs=tmp_path))
    assert labels(known) == {
        "debian-12": "6.1",
        "debian-12-debug": "6.1-debug",
        "debian-12-programs": "6.1@debian-12-programs",
        "debian-13": "6.12",
        "debian-sid": "debian-sid",
    }
    assert known["debian-12-debug"].kernel.endswith("-debug")
    assert {name for name, image in known.items() if image.on_request} == {
        "debian-12-debug",
        "debian-12-programs",
        "debian-sid",
    }


def test_image_without_a_lock_keeps_its_name_once_built() -> None:
    unlocked = Known("7.2.13+deb14-amd64", "0123", on_request=True, locked=False)
    assert labels({"debian-sid": unlocked}) == {"debian-sid": "debian-sid"}


def test_two_kernels_of_one_label_are_told_apart() -> None:
    twins = {"a": Known("6.1.0-56-amd64", ""), "b": Known("6.1.99-amd64", "")}
    assert labels({**twins, "c": Known("6.1.192-debug", "")}) == {
        "a": "6.1@a",
        "b": "6.1@b",
        "c": "6.1-debug",
    }


@pytest.mark.parametrize(
    ("release", "expected"),
    [
        ("6.1.0-56-amd64", ""),
        ("6.12.117+deb13-amd64", ""),
        ("6.1.0-56-rt-amd64", "rt"),
        ("6.1.192-debug", "debug"),
        ("6.6.9", ""),
        ("", ""),
    ],
)
def test_flavour(release: str, expected: str) -> None:
    assert flavour(release) == expected
