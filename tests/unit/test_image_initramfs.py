# SPDX-License-Identifier: BSD-2-Clause
"""The initramfs, assembled from a tree of a few files that looks like an unpacked release."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError, Status
from lab.image import libraries
from lab.image.initramfs import build_initramfs
from lab.image.spec import ExtraSpec, GuestSpec, ImageSpec, KernelSpec, ToolchainSpec

RELEASE = "6.1.0-1-amd64"
LIBRARIES = "lib/x86_64-linux-gnu"
SPEC = ImageSpec(
    name="tiny",
    release="bookworm",
    kernel=KernelSpec(("linux-image-amd64",)),
    guest=GuestSpec(
        packages=(),
        programs=("bin/busybox", "usr/lib/sftp-server"),
        libraries=("libm.so.6",),
        modules=("virtio_net",),
    ),
    toolchain=ToolchainSpec((), ()),
    drop=(),
    extra=ExtraSpec(programs=("usr/bin/python3",), trees=("usr/lib/python3",)),
)
FILES = {
    "usr/bin/python3": "python",
    "usr/lib/python3/os.py": "os",
    "usr/lib/python3/lib-dynload/_ssl.so": "_ssl",
    f"{LIBRARIES}/libssl.so.3": "libssl",
    "bin/busybox": "#!/bin/sh\necho bin/busybox; echo bin/sh; echo usr/bin/awk; echo sbin/init\n",
    "usr/lib/openssh/sftp-server": "sftp",
    f"{LIBRARIES}/ld-linux-x86-64.so.2": "loader",
    f"{LIBRARIES}/libc.so.6": "libc",
    f"{LIBRARIES}/libm.so.6": "libm",
    f"{LIBRARIES}/libz.so.1": "libz",
    f"lib/modules/{RELEASE}/kernel/net/virtio_net.ko": "module",
    f"lib/modules/{RELEASE}/modules.dep": "kernel/net/virtio_net.ko:\n",
    f"lib/modules/{RELEASE}/modules.builtin": "",
    f"lib/modules/{RELEASE}/modules.alias": "",
    "usr/bin/gcc": "a compiler",
}
NEEDS = {
    "_ssl.so": ["libssl.so.3"],
    "sftp-server": ["libz.so.1"],
    "libz.so.1": ["libc.so.6"],
    "libc.so.6": ["libz.so.1"],
}


def make_tree(root: Path, names: list[str], date: int) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(FILES[name])
        path.chmod(0o755 if "bin/" in name else 0o600)
        os.utime(path, (date, date))
    (root / "lib64").mkdir()
    (root / "lib64/ld-linux-x86-64.so.2").symlink_to(f"/{LIBRARIES}/ld-linux-x86-64.so.2")
    (root / "usr/lib/sftp-server").symlink_to("openssh/sftp-server")
    return root


@pytest.fixture(autouse=True)
def no_elf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tree's text files pass for programs that need libraries."""
    monkeypatch.setattr(libraries, "needed", lambda path: NEEDS.get(path.resolve().name, []))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path / "tree", sorted(FILES), 1_000_000_000)


@pytest.fixture
def unpacked(tree: Path, tmp_path: Path) -> Path:
    """The initramfs, unpacked by the cpio program."""
    target = tmp_path / "guest"
    target.mkdir()
    packed = build_initramfs(SPEC, tree, RELEASE, b"#!/bin/sh\n")
    subprocess.run(
        ["cpio", "--extract", "--quiet", "--no-absolute-filenames", "--no-preserve-owner"],
        cwd=target,
        input=packed,
        check=True,
    )
    return target


def test_two_builds_are_the_same_bytes(tree: Path, tmp_path: Path) -> None:
    other = make_tree(tmp_path / "other", sorted(FILES, reverse=True), 1_600_000_000)
    first = build_initramfs(SPEC, tree, RELEASE, b"init")
    assert first == build_initramfs(SPEC, other, RELEASE, b"init")
    assert first != build_initramfs(SPEC, tree, RELEASE, b"another init")


def test_members_come_in_the_order_of_names(tree: Path) -> None:
    packed = build_initramfs(SPEC, tree, RELEASE, b"init")
    listed = subprocess.run(
        ["cpio", "--list", "--quiet"], input=packed, capture_output=True, check=True
    ).stdout.split()
    assert listed == sorted(listed)


def test_programs_bring_the_libraries_they_need_and_those_theirs(unpacked: Path) -> None:
    assert (unpacked / LIBRARIES / "libz.so.1").read_text() == "libz"
    assert (unpacked / LIBRARIES / "libc.so.6").read_text() == "libc"


def test_libraries_asked_for_come_without_a_program(unpacked: Path) -> None:
    assert (unpacked / LIBRARIES / "libm.so.6").read_text() == "libm"


def test_links_bring_what_they_point_to(unpacked: Path) -> None:
    assert (unpacked / "usr/lib/sftp-server").read_text() == "sftp"
    loader = unpacked / "lib64/ld-linux-x86-64.so.2"
    assert loader.readlink() == Path(f"/{LIBRARIES}/ld-linux-x86-64.so.2")
    assert (unpacked / LIBRARIES / "ld-linux-x86-64.so.2").read_text() == "loader"


def test_applets_are_links_and_do_not_replace_busybox_itself(unpacked: Path) -> None:
    assert (unpacked / "bin/busybox").is_file() and not (unpacked / "bin/busybox").is_symlink()
    for applet in ("bin/sh", "usr/bin/awk", "sbin/init"):
        assert (unpacked / applet).readlink() == Path("/bin/busybox")


def test_trees_come_whole_and_with_what_their_objects_need(unpacked: Path) -> None:
    assert (unpacked / "usr/bin/python3").read_text() == "python"
    assert (unpacked / "usr/lib/python3/os.py").read_text() == "os"
    assert (unpacked / "usr/lib/python3/lib-dynload/_ssl.so").read_text() == "_ssl"
    assert (unpacked / LIBRARIES / "libssl.so.3").read_text() == "libssl"


def test_nothing_else_of_the_tree_comes_along(unpacked: Path) -> None:
    assert not (unpacked / "usr/bin/gcc").exists()


def test_modules_come_with_an_index(unpacked: Path) -> None:
    directory = unpacked / "lib/modules" / RELEASE
    assert (directory / "kernel/net/virtio_net.ko").read_text() == "module"
    assert (directory / "modules.dep").read_text() == "kernel/net/virtio_net.ko:\n"


def test_modes_that_matter(unpacked: Path) -> None:
    modes = {
        name: stat.S_IMODE((unpacked / name).stat().st_mode) for name in ("init", "tmp", "root")
    }
    assert modes == {"init": 0o755, "tmp": 0o1777, "root": 0o700}


@pytest.mark.parametrize(
    "missing",
    [
        "usr/lib/openssh/sftp-server",
        f"{LIBRARIES}/libc.so.6",
        f"{LIBRARIES}/ld-linux-x86-64.so.2",
        f"lib/modules/{RELEASE}/kernel/net/virtio_net.ko",
    ],
)
def test_a_file_no_package_brought_is_named(tree: Path, missing: str) -> None:
    (tree / missing).unlink()
    with pytest.raises(LabError) as caught:
        build_initramfs(SPEC, tree, RELEASE, b"init")
    assert caught.value.status is Status.IMAGE
    assert Path(missing).name in caught.value.message
