# SPDX-License-Identifier: BSD-2-Clause
"""The reference of what people write in ``images/``: from the classes it is read into."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Set
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path

from lab.docs.table import as_markdown, fields_of, table
from lab.image.spec import ImageSpec, available_images, load_image_spec
from lab.profile import available_profiles, load_profile

_KINDS: dict[object, str] = {
    str: "a word",
    tuple[str, ...]: "a list of words",
    tuple[tuple[str, str], ...]: "a mapping of words",
}


def schema_page(root: Path) -> str:
    """Return the page on image definitions and boot profiles."""
    return "\n".join(_page(root))


def _page(root: Path) -> Iterator[str]:
    yield "# Images and boot profiles"
    yield ""
    yield "`images/NAME.yaml` defines the image `NAME`. `extends: BASE` takes over all sections of"
    yield "`images/base/BASE.yaml`; each section is given once, here or there. A key that is not"
    yield "below is refused, with the nearest that is. A word has no white space."
    yield ""
    yield "## The file"
    yield ""
    yield _keys(ImageSpec, leave_out={"name"})
    for name, cls in _sections():
        yield f"## `{name}`"
        yield ""
        yield as_markdown(cls.__doc__ or "")
        yield ""
        yield _keys(cls)
    yield "## Images that are there"
    yield ""
    yield table(("image", "release", "kernel", "on request only"), _images(root))
    yield "## Boot profiles"
    yield ""
    yield "Defined in `images/profiles.yaml`. After a boot the lab compares `/proc/cmdline` of the"
    yield "guest with the profile: what is required must be there, what is forbidden must not."
    yield ""
    yield table(("profile", "what it is", "required", "forbidden"), _profiles(root))


def _keys(cls: type, leave_out: Set[str] = frozenset()) -> str:
    said, hints = fields_of(cls), typing.get_type_hints(cls)
    rows = [
        (f"`{name}`", _kind(name, hints[name]), _required(field), said[name])
        for field in fields(cls)
        if (name := field.name) not in leave_out
    ]
    return table(("key", "value", "required", "meaning"), rows)


def _kind(name: str, hint: object) -> str:
    if is_dataclass(hint):
        return f"a mapping: [`{name}`](#{name})"
    return "a sentence" if name == "on_request" else _KINDS[hint]


def _required(field: Field[object]) -> str:
    return "yes" if field.default is MISSING else "no"


def _sections() -> Iterator[tuple[str, type]]:
    hints = typing.get_type_hints(ImageSpec)
    for field in fields(ImageSpec):
        cls = hints[field.name]
        if isinstance(cls, type) and is_dataclass(cls):
            yield field.name, cls


def _images(root: Path) -> Iterator[tuple[str, ...]]:
    for name in available_images(root):
        spec = load_image_spec(root, name)
        kernel = f"`{spec.kernel.source}`, compiled" if spec.kernel.source else "Debian's"
        yield f"`{name}`", spec.release, kernel, spec.on_request


def _profiles(root: Path) -> Iterator[tuple[str, ...]]:
    for name in available_profiles(root):
        profile = load_profile(root, name)
        required = " ".join(f"`{word}`" for word in profile.arguments)
        yield f"`{name}`", profile.about, required, " ".join(f"`{w}`" for w in profile.forbidden)
