# SPDX-License-Identifier: BSD-2-Clause
"""The guest's whole user space in one cpio archive, from an unpacked tree."""

from __future__ import annotations

import stat
from pathlib import Path, PurePosixPath

from lab.errors import Status, die
from lab.image.libraries import library_closure
from lab.image.modules import ModuleIndex, plain, read_module
from lab.image.spec import ImageSpec
from lab.machine import cpio
from lab.tool import run_tool

LOADER = "lib64/ld-linux-x86-64.so.2"
"""The path that every dynamically linked x86-64 program names as its interpreter."""
BUSYBOX = "bin/busybox"
DIRECTORIES = {
    "dev": 0o755,
    "lab": 0o755,  # where the lab deploys to
    "mnt": 0o755,
    "proc": 0o555,
    "root": 0o700,
    "root/.ssh": 0o700,  # dropbear refuses keys below a directory that others may write
    "run": 0o755,
    "sys": 0o555,
    "tmp": 0o1777,
    "var": 0o755,
    "var/log": 0o755,
}
CONFIGURATION = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "user:x:1000:1000:user:/tmp:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/:/bin/sh\n",
    "etc/group": "root:x:0:\ntty:x:5:\nuser:x:1000:\nnogroup:x:65534:\n",
    "etc/shells": "/bin/sh\n",
    "etc/hostname": "dbos-lab\n",
    "etc/hosts": "127.0.0.1 localhost dbos-lab\n",
    "etc/resolv.conf": "nameserver 10.0.2.3\n",
    "etc/profile": "export PATH=/usr/sbin:/usr/bin:/sbin:/bin\n",
}
LINKS = {
    "root/.ssh/authorized_keys": "/etc/lab/authorized_keys",
    "var/run": "/run",
    "etc/mtab": "/proc/mounts",
}


class Layout:
    """The files of an initramfs by path, their parent directories added as needed."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.members: dict[str, cpio.Member] = {}

    def add(self, member: cpio.Member) -> None:
        """Add a member; the first one of a path stays, so explicit modes come before defaults."""
        for parent in reversed(PurePosixPath(member.path).parents):
            if parent.name:
                self.members.setdefault(str(parent), cpio.directory(str(parent)))
        self.members.setdefault(member.path, member)

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link."""
        self.add(cpio.Member(path, stat.S_IFLNK | 0o777, target.encode()))

    def copy(self, path: str) -> None:
        """Copy a file from the tree; a symbolic link brings what it points to."""
        source = self.tree / path
        if not source.is_symlink():
            executable = source.stat().st_mode & 0o111
            self.add(cpio.regular(path, source.read_bytes(), 0o755 if executable else 0o644))
            return
        target = source.readlink()
        self.link(path, str(target))
        # Absolute targets mean the guest's root; normalise by hand, for resolve() asks the host.
        parts: list[str] = []
        for part in (Path("/", path).parent / target).parts[1:]:
            if part == "..":
                parts.pop()
            else:
                parts.append(part)
        self.copy("/".join(parts))

    def copy_tree(self, path: str) -> list[str]:
        """Copy a directory with all in it; returns the paths of the shared objects."""
        objects = []
        for source in sorted((self.tree / path).rglob("*")):
            inner = str(source.relative_to(self.tree))
            if source.is_symlink():
                self.link(inner, str(source.readlink()))
            elif source.is_dir():
                self.add(cpio.directory(inner))
            else:
                self.copy(inner)
                objects += [inner] if ".so" in source.suffixes else []
        return objects

    def archive(self) -> bytes:
        """Serialise in the order of names, in which parents precede children."""
        return cpio.archive(member for _, member in sorted(self.members.items()))


def build_initramfs(spec: ImageSpec, tree: Path, release: str, init: bytes) -> bytes:
    """Assemble the archive for kernel ``release`` from ``tree``."""
    layout = Layout(tree)
    for name, permissions in DIRECTORIES.items():
        layout.add(cpio.directory(name, permissions))
    layout.add(cpio.regular("init", init, 0o755))
    for name, text in CONFIGURATION.items():
        layout.add(cpio.regular(name, text.encode()))
    for name, target in LINKS.items():
        layout.link(name, target)
    try:
        programs = (*spec.guest.programs, *spec.extra.programs)
        for path in (LOADER, *programs):
            layout.copy(path)
        objects = [inner for path in spec.extra.trees for inner in layout.copy_tree(path)]
        for path in library_closure(tree, [*programs, *objects], spec.guest.libraries):
            layout.copy(path)
        _add_modules(layout, spec, release)
    except (KeyError, FileNotFoundError) as error:
        missing = error.filename if isinstance(error, OSError) else error.args[0]
        die(
            f"no package of image {spec.name} brings {missing}",
            f"edit images/{spec.name}.yaml",
            status=Status.IMAGE,
        )
    for applet in _applets(tree):
        layout.link(applet, f"/{BUSYBOX}")
    return layout.archive()


def _add_modules(layout: Layout, spec: ImageSpec, release: str) -> None:
    directory = f"lib/modules/{release}"
    index = ModuleIndex.read(layout.tree / directory)
    paths = index.closure(spec.guest.modules)
    for path in paths:
        data = read_module(layout.tree / directory / path)
        layout.add(cpio.regular(f"{directory}/{plain(path)}", data))
    layout.add(cpio.regular(f"{directory}/modules.dep", index.dep_file(paths).encode()))
    layout.add(cpio.regular(f"{directory}/modules.alias", index.alias_file(paths).encode()))


def _applets(tree: Path) -> list[str]:
    """Ask busybox for the paths of its commands. It is static, so it runs on the host."""
    return run_tool([tree / BUSYBOX, "--list-full"], check=True).stdout.split()
