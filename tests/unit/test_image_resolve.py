# SPDX-License-Identifier: BSD-2-Clause
"""How apt is asked, and how its answers become a lock."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image.lock import SOURCE
from lab.image.mirror import Mirror
from lab.image.resolve import mmdebstrap_argv, parse
from lab.image.spec import ExtraSpec, load_image_spec

SPEC = load_image_spec(Path(__file__).parents[2], "debian-12")
SECRET = "deb http://user:secret@one.example/debian bookworm main"
HASHES = ("a" * 64, "b" * 64)
ARCHIVES = """\
Debian|http://one.example/debian/
Debian|http://one.example/debian/
Debian-Security|http://two.example/debian-security/
"""
RELEASES = """\
Codename: bookworm-security
Date: Sat, 21 Nov 2026 00:53:02 UTC
Codename: bookworm
Date: Sat, 11 Jul 2026 10:16:37 UTC
"""
PACKAGES = f"""\
Reading package lists...
The following additional packages will be installed:
'http://two.example/debian-security/pool/updates/main/g/glibc/libc6_2.36-9%2bdeb12u14_amd64.deb' \
libc6_2.36-9+deb12u14_amd64.deb 2759320 SHA256:{HASHES[0]}
'http://one.example/debian/pool/main/a/attr/libattr1_2.5.1-4_amd64.deb' \
libattr1_1%3a2.5.1-4_amd64.deb 22272 SHA256:{HASHES[1]}
"""


def test_apt_is_asked_for_all_packages_of_both_products() -> None:
    argv = mmdebstrap_argv(SPEC, Mirror((), ()), Path("/tree"))
    (hook,) = (word for word in argv if word.startswith("--extract-hook="))
    assert f" install {' '.join(SPEC.packages)} >" in hook
    assert argv[-2:] == ["bookworm", "/tree"]


def test_sources_stay_off_the_command_line() -> None:
    argv = mmdebstrap_argv(SPEC, Mirror((SECRET,), ()), Path("/tree"))
    assert argv[-3:] == ["bookworm", "/tree", "-"]
    assert "secret" not in " ".join(argv)


def test_options_of_the_hosts_apt_are_carried() -> None:
    option = 'Acquire::http::Proxy "http://proxy.example:3142";'
    assert f"--aptopt={option}" in mmdebstrap_argv(SPEC, Mirror((), (option,)), Path("/tree"))


def test_answers_become_a_lock_without_a_mirror() -> None:
    resolution = parse(SPEC, ARCHIVES, RELEASES, PACKAGES)
    attr, libc = resolution.lock.packages
    assert (attr.name, attr.version, attr.architecture) == ("libattr1", "1:2.5.1-4", "amd64")
    assert (attr.archive, attr.size, attr.sha256) == ("Debian", 22272, HASHES[1])
    assert attr.path == "pool/main/a/attr/libattr1_2.5.1-4_amd64.deb"
    assert libc.archive == "Debian-Security"
    assert libc.path == "pool/updates/main/g/glibc/libc6_2.36-9+deb12u14_amd64.deb"
    assert resolution.lock.resolved == (
        ("bookworm", "Sat, 11 Jul 2026 10:16:37 UTC"),
        ("bookworm-security", "Sat, 21 Nov 2026 00:53:02 UTC"),
    )
    assert resolution.lock.fits(SPEC)
    assert "example" not in resolution.lock.text()
    assert resolution.roots["Debian-Security"] == "http://two.example/debian-security"


def test_package_from_an_unknown_archive_is_refused() -> None:
    with pytest.raises(LabError, match="libc6 from no archive") as caught:
        parse(SPEC, ARCHIVES.replace("two.example", "three.example"), RELEASES, PACKAGES)
    assert caught.value.status is Status.IMAGE


TARBALL = (
    "'http://one.example/debian/pool/main/r/redis/redis_7.0.15.orig.tar.gz' "
    f"redis_7.0.15.orig.tar.gz 3025940 SHA256:{'c' * 64}\n"
    "'http://one.example/debian/pool/main/r/redis/redis_7.0.15-1.debian.tar.xz' "
    f"redis_7.0.15-1.debian.tar.xz 28820 SHA256:{'d' * 64}\n"
)


def test_of_a_source_package_what_its_authors_published_is_locked() -> None:
    spec = replace(SPEC, extra=ExtraSpec(sources=("redis",)))
    argv = mmdebstrap_argv(spec, Mirror((), ()), Path("/tree"))
    (hook,) = (word for word in argv if word.startswith("--extract-hook="))
    assert " source --download-only redis " in hook
    lock = parse(spec, ARCHIVES, RELEASES, PACKAGES + TARBALL).lock
    (redis,) = (package for package in lock.packages if package.architecture == SOURCE)
    assert (redis.name, redis.version, redis.sha256) == ("redis", "7.0.15", "c" * 64)
    assert lock.fits(spec)
    assert not lock.fits(SPEC)
