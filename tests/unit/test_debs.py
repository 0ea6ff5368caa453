# SPDX-License-Identifier: BSD-2-Clause
"""The Debian packages: their versions, and what is said when they cannot be built."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.system.debs import another_entry, version_of

ROOT = Path(__file__).resolve().parents[2]


def test_an_upgrade_is_the_same_under_another_version() -> None:
    changelog = (ROOT / "debian/changelog").read_text()
    newer = another_entry(changelog, "9.9")
    assert version_of(newer) == "9.9"
    assert newer.endswith(changelog)
    dates = [parsedate_to_datetime(date) for date in re.findall(r"^ -- .*>  (.*)$", newer, re.M)]
    assert dates[0] > dates[1]  # or lintian complains
    with pytest.raises(LabError, match="malformed"):
        version_of("nothing\n")


def test_there_is_one_version() -> None:
    version = version_of((ROOT / "debian/changelog").read_text())
    assert f'version = "{version}"' in (ROOT / "pyproject.toml").read_text()
    library = re.search(r"^VERSION := (.*)$", (ROOT / "libdbos/Makefile").read_text(), re.M)
    assert library is not None
    assert version.startswith(f"{library[1]}.")
