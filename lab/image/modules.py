# SPDX-License-Identifier: BSD-2-Clause
"""Kernel modules by name: files, dependencies and aliases, from what depmod wrote."""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath


@dataclass(frozen=True)
class ModuleIndex:
    """``modules.dep`` and ``modules.alias`` of one kernel; paths are relative to their directory.

    ``dependencies`` maps each module's path to those that must be loaded before it; depmod already
    lists indirect ones.
    """

    dependencies: dict[str, tuple[str, ...]]
    builtin: frozenset[str]
    aliases: tuple[tuple[str, str], ...]
    """(pattern, module name) pairs."""

    @classmethod
    def read(cls, directory: Path) -> ModuleIndex:
        """Read the index in ``lib/modules/<release>``."""
        dependencies = {}
        for line in (directory / "modules.dep").read_text().splitlines():
            path, _, rest = line.partition(":")
            dependencies[path] = tuple(rest.split())
        builtin = frozenset(map(module_name, (directory / "modules.builtin").read_text().split()))
        aliases = []
        for line in (directory / "modules.alias").read_text().splitlines():
            if line.startswith("alias "):
                _, pattern, module = line.split()
                aliases.append((pattern, module_name(module)))
        return cls(dependencies, builtin, tuple(aliases))

    def closure(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the paths of the modules ``names`` and all they need, sorted.

        A name that is built into the kernel needs no file. An unknown one raises KeyError.
        """
        by_name = {module_name(path): path for path in self.dependencies}
        chosen: set[str] = set()
        for name in map(module_name, names):
            if name in by_name:
                chosen.update((by_name[name], *self.dependencies[by_name[name]]))
            elif name not in self.builtin:
                raise KeyError(name)
        return tuple(sorted(chosen))

    def dep_file(self, paths: Sequence[str]) -> str:
        """Write ``modules.dep`` for a subset, under the names the files get once unpacked."""
        return "".join(
            f"{plain(path)}:{''.join(f' {plain(d)}' for d in self.dependencies[path])}\n"
            for path in paths
        )

    def alias_file(self, paths: Sequence[str]) -> str:
        """Write ``modules.alias`` for a subset."""
        names = set(map(module_name, paths))
        return "".join(f"alias {p} {module}\n" for p, module in self.aliases if module in names)


def module_name(path: str) -> str:
    """Return the name the kernel knows a module file by: no suffixes, dashes become underscores."""
    return re.sub(r"\.ko(\.\w+)?$", "", PurePosixPath(path).name).replace("-", "_")


def plain(path: str) -> str:
    """Return the path of a module once it is unpacked."""
    return path.removesuffix(".xz")


def read_module(path: Path) -> bytes:
    """Read a module's ELF image; newer Debian releases compress the files."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data
