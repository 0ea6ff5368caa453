# SPDX-License-Identifier: BSD-2-Clause
"""Image definitions: ``images/<name>.yaml`` read, checked and frozen.

A definition says *what* is in an image; nothing in it depends on this host, so its content can be
the key of a cache. What several images share is in ``images/base/``: ``extends: debian`` takes over
all sections of ``images/base/debian.yaml``. Each section is given once, here or there; nothing is
merged or overridden, so what is read is what holds.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from lab.errors import Status, die, unknown_name

NOT_IMAGES = frozenset({"profiles", "requirements"})
"""Files in ``images/`` that define something else."""


@dataclass(frozen=True)
class GuestSpec:
    """What goes into the initramfs, by path in the unpacked tree, by soname, by module name."""

    packages: tuple[str, ...]
    programs: tuple[str, ...]
    libraries: tuple[str, ...]
    modules: tuple[str, ...]


@dataclass(frozen=True)
class ExtraSpec:
    """Real programs beside what every guest has: by path, and directories as a whole.

    ``sources`` are source packages; what their authors published is unpacked to ``usr/src/NAME``.
    """

    packages: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    trees: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToolchainSpec:
    """What is needed to compile for the guest. ``links`` are (path in the tree, target) pairs."""

    packages: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class KernelSpec:
    """Where the kernel comes from, its modules and headers with it: packages, or their source."""

    packages: tuple[str, ...]
    source: str = ""
    """The package whose source is compiled; what that takes is in ``packages`` too."""
    config: str = ""
    """Name of the configuration it gets, a file in ``images/kernels/``."""


@dataclass(frozen=True)
class ImageSpec:
    """One image definition."""

    name: str
    release: str
    """Debian code name; also selects the suites of the mirror."""
    kernel: KernelSpec
    guest: GuestSpec
    toolchain: ToolchainSpec
    drop: tuple[str, ...]
    """GNU tar exclude patterns for files that are never unpacked."""
    extra: ExtraSpec = ExtraSpec()
    on_request: str = ""
    """Why ``all`` does not mean this image; empty if it does."""

    @property
    def packages(self) -> tuple[str, ...]:
        """All packages of both products, sorted: they are unpacked in one go."""
        parts = (self.kernel, self.guest, self.toolchain, self.extra)
        return tuple(sorted({package for part in parts for package in part.packages}))

    @property
    def sources(self) -> tuple[str, ...]:
        """Source packages beside them."""
        return self.extra.sources

    @property
    def requested(self) -> tuple[str, ...]:
        """All that a lock has to have, sources among it."""
        return (*self.packages, *(f"{name} (source)" for name in self.sources))

    def canonical(self) -> bytes:
        """Serialise for hashing: the same for two files that differ in comments or layout only."""
        content = asdict(self)
        del content["on_request"]
        return json.dumps(content, sort_keys=True).encode()


def available_images(source: Path) -> tuple[str, ...]:
    """Names of all images that this checkout defines."""
    names = (path.stem for path in (source / "images").glob("*.yaml"))
    return tuple(sorted(name for name in names if name not in NOT_IMAGES))


def load_image_spec(source: Path, name: str) -> ImageSpec:
    """Read the definition of image ``name``; unknown or malformed ones are USAGE errors."""
    known = available_images(source)
    if name not in known:
        unknown_name("image", name, known)
    path = source / "images" / f"{name}.yaml"
    document = _read(path)
    if isinstance(document, Mapping) and "extends" in document:
        document = _extended(path, document)
    try:
        return _parse(name, document)
    except ValueError as error:
        _malformed(path, str(error))


def _read(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        _malformed(path, " ".join(str(error).split()))
    except (ValueError, OSError) as error:
        _malformed(path, str(error))


def _extended(path: Path, document: Mapping[str, object]) -> Mapping[str, object]:
    """Return ``document`` with the sections of the base it names."""
    directory = path.parent / "base"
    known = sorted(file.stem for file in directory.glob("*.yaml"))
    name = document["extends"]
    if name not in known:
        _malformed(path, f"it extends {name!r}; there is: {', '.join(known) or 'nothing'}")
    base_path = directory / f"{name}.yaml"
    base = _read(base_path)
    if not isinstance(base, Mapping):
        _malformed(base_path, "the file must be a mapping")
    own = {key: value for key, value in document.items() if key != "extends"}
    twice = sorted(map(str, own.keys() & base.keys()))
    if twice:
        _malformed(path, f"{', '.join(twice)} is also in {base_path}")
    return {**base, **own}


def _malformed(path: Path, why: str) -> NoReturn:
    die(f"the image definition {path} is wrong: {why}", f"edit {path}", status=Status.USAGE)


def _parse(name: str, document: object) -> ImageSpec:
    top = Section(
        "the file",
        document,
        {"release", "kernel", "guest", "toolchain", "drop"},
        optional={"on_request", "extra"},
    )
    kernel = Section("kernel", top.get("kernel"), {"packages"}, optional={"source", "config"})
    if ("source" in kernel) != ("config" in kernel):
        raise ValueError("kernel has one of 'source' and 'config' and lacks the other")
    guest = Section("guest", top.get("guest"), {"packages", "programs", "libraries", "modules"})
    toolchain = Section("toolchain", top.get("toolchain"), {"packages", "links"})
    drop = top.words("drop")
    return ImageSpec(
        name=name,
        release=top.word("release"),
        kernel=KernelSpec(
            packages=kernel.words("packages"),
            source=kernel.word("source") if "source" in kernel else "",
            config=kernel.word("config") if "config" in kernel else "",
        ),
        guest=GuestSpec(
            packages=guest.words("packages"),
            programs=guest.words("programs"),
            libraries=guest.words("libraries"),
            modules=guest.words("modules"),
        ),
        toolchain=ToolchainSpec(
            packages=toolchain.words("packages"),
            links=toolchain.pairs("links"),
        ),
        drop=drop,
        extra=_extra(top.get("extra")) if "extra" in top else ExtraSpec(),
        on_request=top.sentence("on_request") if "on_request" in top else "",
    )


def _extra(value: object) -> ExtraSpec:
    extra = Section("extra", value, {"packages", "sources", "programs", "trees"})
    return ExtraSpec(
        packages=extra.words("packages"),
        sources=extra.words("sources"),
        programs=extra.words("programs"),
        trees=extra.words("trees"),
    )


class Section:
    """A mapping whose keys are checked at once; every value is a word, words, or pairs of words.

    A *word* has no white space: package names and paths travel through command lines and
    ``TAR_OPTIONS``, which split there.
    """

    def __init__(
        self, title: str, value: object, keys: set[str], optional: Set[str] = frozenset()
    ) -> None:
        if not isinstance(value, Mapping):
            raise ValueError(f"{title} must be a mapping with the keys {', '.join(sorted(keys))}")
        for key in value:
            if key not in keys | optional:
                near = difflib.get_close_matches(str(key), keys | optional, n=1)
                meant = f"; did you mean {near[0]!r}?" if near else ""
                raise ValueError(f"{title} has an unknown key {key!r}{meant}")
        for key in sorted(keys - value.keys()):
            raise ValueError(f"{title} lacks the key {key!r}")
        self.title = title
        self.value: Mapping[str, Any] = value

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def get(self, key: str) -> object:
        """Return the value as it is."""
        return self.value[key]

    def sentence(self, key: str) -> str:
        """Return a text on one line."""
        value = self.value[key]
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{key!r} in {self.title} must be a sentence")
        return " ".join(value.split())

    def word(self, key: str) -> str:
        """Return one word."""
        return self._word(key, self.value[key])

    def words(self, key: str) -> tuple[str, ...]:
        """Return a list of words."""
        value = self.value[key]
        if not isinstance(value, list):
            raise ValueError(f"{key!r} in {self.title} must be a list")
        return tuple(self._word(key, item) for item in value)

    def pairs(self, key: str) -> tuple[tuple[str, str], ...]:
        """Return a mapping of words."""
        value = self.value[key]
        if not isinstance(value, Mapping):
            raise ValueError(f"{key!r} in {self.title} must be a mapping")
        return tuple((self._word(key, k), self._word(key, v)) for k, v in value.items())

    def _word(self, key: str, value: object) -> str:
        if not isinstance(value, str) or value.split() != [value] or "\\" in value:
            raise ValueError(f"{key!r} in {self.title} has {value!r} where one word must be")
        return value
