# SPDX-License-Identifier: BSD-2-Clause
"""Boot-argument profiles: what a boot must have on its command line, and what it must not.

A profile is a contract, not only a list to pass on: a boot loader, a default or a typing error can
change what the kernel sees, and a result measured under the wrong arguments is worse than none.
So ``violations`` compares the profile with ``/proc/cmdline`` of the booted guest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import yaml

from lab.errors import Status, die, unknown_name


@dataclass(frozen=True)
class Profile:
    """Arguments of one kind of boot. ``arguments`` is what to put on the command line."""

    name: str
    about: str
    base: tuple[str, ...]
    required: tuple[str, ...]
    forbidden: tuple[str, ...]

    @property
    def arguments(self) -> tuple[str, ...]:
        """The whole command line of a boot under this profile, in order."""
        return self.base + self.required


def load_profile(source: Path, name: str) -> Profile:
    """Read ``images/profiles.yaml`` of the checkout ``source`` and take the profile ``name``.

    An unknown name and a malformed file die with ``USAGE``.
    """
    path = _path(source)
    document = _read(path)
    try:
        return parse_profile(document, name)
    except ValueError as error:
        die(f"{path} is malformed.", f"edit {path}", status=_USAGE, detail=str(error))


def available_profiles(source: Path) -> tuple[str, ...]:
    """Names of all boot profiles that this checkout defines, in the order of the file."""
    document = _read(_path(source))
    profiles = document.get("profiles") if isinstance(document, dict) else None
    return tuple(map(str, profiles)) if isinstance(profiles, dict) else ()


def _path(source: Path) -> Path:
    return source / "images" / "profiles.yaml"


def _read(path: Path) -> object:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        die(f"The boot profiles cannot be read: {error}.", f"git checkout {path}", status=_USAGE)
    except yaml.YAMLError as error:
        die(f"{path} is malformed.", f"edit {path}", status=_USAGE, detail=str(error))


def parse_profile(document: object, name: str) -> Profile:
    """Take the profile ``name`` out of a parsed ``profiles.yaml``.

    Raises ``ValueError`` if the document has the wrong shape; dies if only the name is wrong.
    """
    root = _table(document, "the file", {"base", "profiles"})
    profiles = root["profiles"]
    if not isinstance(profiles, dict) or not all(isinstance(key, str) for key in profiles):
        raise ValueError("'profiles' is not a table of names")
    if name not in profiles:
        unknown_name("boot profile", name, profiles)
    entry = _table(profiles[name], f"profile {name!r}", {"about", "required", "forbidden"})
    profile = Profile(
        name,
        str(entry["about"]),
        _words(root["base"], "base"),
        _words(entry["required"], f"{name}.required"),
        _words(entry["forbidden"], f"{name}.forbidden"),
    )
    broken = violations(profile, " ".join(profile.arguments))
    if broken:
        raise ValueError(f"profile {name!r} breaks its own contract: {'; '.join(broken)}")
    return profile


def violations(profile: Profile, cmdline: str) -> tuple[str, ...]:
    """Say what is wrong with a guest's ``/proc/cmdline`` under ``profile``; empty if nothing is.

    Arguments after ``--`` are for init, not for the kernel, and do not count.
    """
    present = tuple(_canonical(word) for word in _kernel_words(cmdline))
    names = {word.partition("=")[0] for word in present}
    missing = [
        f"{argument} is required and absent"
        for argument in profile.arguments
        if _canonical(argument) not in present
    ]
    unwanted = [
        f"{argument} is forbidden and present"
        for argument in profile.forbidden
        if _canonical(argument) in (present if "=" in argument else names)
    ]
    return tuple(missing + unwanted)


_USAGE = Status.USAGE


def _kernel_words(cmdline: str) -> list[str]:
    """Split as the kernel does: at blanks, except inside double quotes, up to ``--``."""
    words: list[str] = []
    word, quoted = "", False
    for char in cmdline:
        if char == '"':
            quoted = not quoted
        elif char.isspace() and not quoted:
            words.append(word)
            word = ""
        else:
            word += char
    words = [kept for kept in [*words, word] if kept]
    return words[: words.index("--")] if "--" in words else words


def _canonical(argument: str) -> str:
    """Spell names one way: the kernel takes ``-`` and ``_`` in them for the same character."""
    name, equals, value = argument.partition("=")
    return name.replace("-", "_") + equals + value


def _table(value: object, what: str, keys: set[str]) -> Mapping[str, object]:
    if not isinstance(value, dict) or set(value) != keys:
        raise ValueError(f"{what} needs exactly the keys {', '.join(sorted(keys))}")
    return cast(Mapping[str, object], value)


def _words(value: object, what: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{what} is not a list")
    for word in value:
        if not isinstance(word, str) or _kernel_words(word) != [word]:
            raise ValueError(f"{what}: {word!r} is not one boot argument")
    return tuple(value)
