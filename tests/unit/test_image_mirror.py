# SPDX-License-Identifier: BSD-2-Clause
"""The host's apt configuration, mapped to the guest's release."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image import mirror
from lab.image.mirror import carried_options, map_sources

KEYS = Path("/keys.gpg")
MAIN = "http://one.example/debian/"
SECURITY = "http://two.example/debian-security/"


def host(release: str) -> list[str]:
    return [
        f"Debian|Debian|{release}|{MAIN}|main",
        f"Debian|Debian|{release}|{MAIN}|contrib",
        f"Debian|Debian|{release}-updates|{MAIN}|main",
        f"Debian|Debian-Security|{release}-security|{SECURITY}|main",
    ]


@pytest.mark.parametrize("release", ["bookworm", "trixie"])
def test_any_debian_host_maps_to_the_guests_release(release: str) -> None:
    assert map_sources(host(release), "bookworm", KEYS) == (
        f"deb [signed-by=/keys.gpg] {MAIN} bookworm main",
        f"deb [signed-by=/keys.gpg] {MAIN} bookworm-updates main",
        f"deb [signed-by=/keys.gpg] {SECURITY} bookworm-security main",
    )


def test_archives_that_other_releases_lack_are_ignored() -> None:
    extra = "http://extra.example/debian"
    targets = [
        f"Debian Backports|Debian Backports|bookworm-backports|{extra}|main",
        f"Debian|Debian|bookworm-proposed-updates|{extra}|main",
        f"Debian|Debian Backports|bookworm-backports|{extra}|main",
        f"Artifact Registry|cloud|cloud-sdk-bookworm|{extra}|main",
        "|||https://unlabelled.example|",
        *host("bookworm"),
    ]
    assert map_sources(targets, "bookworm", KEYS) == map_sources(host("bookworm"), "bookworm", KEYS)


def test_first_of_several_mirrors_is_used() -> None:
    targets = [*host("bookworm"), "Debian|Debian|trixie|http://later.example/debian|main"]
    assert map_sources(targets, "bookworm", KEYS)[0].split()[2] == MAIN


@pytest.mark.parametrize(
    "targets",
    [
        [],
        ["Ubuntu|Ubuntu|noble|http://ubuntu.example/ubuntu|main"],
        [f"Debian|Debian-Security|bookworm-security|{SECURITY}|main"],
        ["garbage"],
    ],
)
def test_without_debians_main_archive_mmdebstrap_chooses(targets: list[str]) -> None:
    assert map_sources(targets, "bookworm", KEYS) == ()


def test_only_options_about_reaching_a_mirror_are_carried() -> None:
    dump = [
        "Acquire ",
        "Acquire::http::Proxy http://proxy.example:3142",
        "Acquire::http::Proxy::other.example DIRECT",
        "Acquire::https::CAInfo /etc/ca.pem",
        "Acquire::Check-Valid-Until false",
        "Acquire::ForceIPv4 true",
        "Acquire::http::Proxy ",
        "APT::Install-Recommends true",
        "Acquire::AllowInsecureRepositories true",
        "Acquire::https::Verify-Peer false",
        "Other::Acquire::ForceIPv6 true",
        "DPkg::Post-Invoke:: rm -f /var/cache/apt/*.bin",
    ]
    assert carried_options(dump) == (
        'Acquire::http::Proxy "http://proxy.example:3142";',
        'Acquire::http::Proxy::other.example "DIRECT";',
        'Acquire::https::CAInfo "/etc/ca.pem";',
        'Acquire::Check-Valid-Until "false";',
        'Acquire::ForceIPv4 "true";',
    )


def test_without_debians_keys_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mirror, "KEYRINGS", (tmp_path / "absent.gpg",))
    with pytest.raises(LabError) as caught:
        mirror.host_mirror("bookworm")
    assert caught.value.status is Status.MISSING
    assert caught.value.hint == "make setup"


def test_host_without_apt_leaves_the_choice_to_mmdebstrap(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(mirror, "KEYRINGS", (tmp_path,))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert mirror.host_mirror("bookworm") == mirror.Mirror((), ())
