# SPDX-License-Identifier: BSD-2-Clause
"""What the downloader is told: passwords are for its eyes only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.image import pool
from lab.image.lock import LockedPackage
from lab.image.pool import Pool, without_login

MAKE = LockedPackage("make", "4.3+1", "amd64", "Debian", "pool/m/make_4.3+1.deb", 1, "a" * 64)


@pytest.mark.parametrize(
    ("uri", "login"),
    [
        ("http://one.example/debian/x.deb", ""),
        (
            "http://us%40er:pass%2fword@one.example:80/debian/x.deb",
            "machine http://one.example:80 login us@er password pass/word\n",
        ),
    ],
)
def test_login_is_split_off(uri: str, login: str) -> None:
    bare, found = without_login(uri)
    assert found == login
    assert bare.endswith("/debian/x.deb")
    assert "pass" not in bare


def test_password_goes_into_a_private_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[str] = []

    def run_logged(argv: list[str], log: Path, **_options: Any) -> int:
        seen.extend(argv)
        (netrc,) = tmp_path.glob("debs/partial/netrc")
        assert netrc.stat().st_mode & 0o077 == 0
        assert "password secret" in netrc.read_text()
        assert f"-oDir::Etc::netrc={netrc}" in argv
        log.touch()
        return 0

    monkeypatch.setattr(pool, "run_logged", run_logged)
    roots = {"Debian": "http://user:secret@one.example/debian"}
    absent = Pool(tmp_path / "debs").fetch([MAKE], roots, tmp_path / "log")
    assert absent == (MAKE,)
    assert "secret" not in " ".join(seen)
    assert "http://one.example/debian/pool/m/make_4.3%2B1.deb" in seen
    assert list((tmp_path / "debs").iterdir()) == []
