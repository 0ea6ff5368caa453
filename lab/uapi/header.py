# SPDX-License-Identifier: BSD-2-Clause
"""Reads the header: structures with their layout, requests with their numbers, constants.

Not C, only the part of it that an interface consists of: fixed-size integers, arrays of them,
structures and unions. The layout is computed by the rules of the x86-64 ABI (natural alignment);
that it is the compilers' too, they assert themselves, see ``document.layout_header``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.errors import Status, die

INTEGERS = {"__u8": 1, "__u16": 2, "__u32": 4, "__u64": 8}

_TOKEN = re.compile(
    r"/\*(?P<comment>.*?)\*/"
    r"|(?P<open>struct|union)\s*(?P<tag>\w*)\s*\{"
    r"|\}\s*(?P<close>\w*)\s*;"
    r"|(?P<type>__u\d+|struct\s+\w+)\s+(?P<names>\w[^;]*);",
    re.DOTALL,
)
_REQUEST = re.compile(
    r"^#define (?P<name>\w+)\s+(?P<macro>_IO|_IOR|_IOW|_IOWR)"
    r"\(DUNE_IOCTL_TYPE,\s*(?P<number>\w+)(?:,\s*struct (?P<argument>\w+))?\)"
    r"(?:[ \t]*/\*(?P<comment>.*?)\*/)?",
    re.MULTILINE,
)
_DIRECTIONS = {"_IO": 0, "_IOW": 1, "_IOR": 2, "_IOWR": 3}


@dataclass(frozen=True)
class Field:
    """One member, by the path a programmer types: ``io.port``."""

    path: str
    type: str
    offset: int
    size: int
    meaning: str


@dataclass(frozen=True)
class Structure:
    """A structure that crosses the boundary."""

    name: str
    about: str
    size: int
    align: int
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Request:
    """One ioctl."""

    name: str
    number: int
    direction: str
    """As in ``_IOR``, seen from the process: ``_IO`` has no argument that is copied."""
    argument: str
    """The structure, or nothing."""
    meaning: str


@dataclass(frozen=True)
class Constant:
    """A member of an enum, or a macro with a value."""

    name: str
    value: str
    meaning: str


@dataclass(frozen=True)
class Header:
    """All of the interface."""

    structures: tuple[Structure, ...]
    requests: tuple[Request, ...]
    enums: Mapping[str, tuple[Constant, ...]]
    macros: tuple[Constant, ...]
    prose: Mapping[str, str]
    """Comments that begin with the name of a request, by that name."""


def read(text: str) -> Header:
    """Read the whole header."""
    structures: dict[str, Structure] = {}
    for about, name, body in _bodies(text, "struct"):
        structures[name] = _structure(name, about, body, structures)
    enums = {name: tuple(_members(body)) for _, name, body in _bodies(text, "enum")}
    requests = tuple(_requests(text, structures))
    prose = dict(_prose(text, [request.name for request in requests]))
    return Header(tuple(structures.values()), requests, enums, tuple(_macros(text)), prose)


def flat(comment: str) -> str:
    """Join the lines of a comment, without what only the C file needs."""
    return " ".join(re.sub(r"^[ \t]*\*", "", comment, flags=re.MULTILINE).split())


def _bodies(text: str, kind: str) -> Iterator[tuple[str, str, str]]:
    """Yield comment, name and body of each definition at the left margin."""
    pattern = rf"^{kind} (\w+) \{{\n(.*?)^\}};"
    for found in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        before = re.search(r"/\*((?:(?!\*/).)*)\*/\s*\Z", text[: found.start()], re.DOTALL)
        yield flat(before[1]) if before else "", found[1], found[2]


class _Scope:
    """A structure or union that is being read, and where its next member goes."""

    def __init__(self, *, union: bool, first_field: int) -> None:
        self.union = union
        self.first_field = first_field
        self.size = 0
        self.align = 1

    def place(self, size: int, align: int) -> int:
        self.align = max(self.align, align)
        offset = 0 if self.union else _aligned(self.size, align)
        self.size = max(self.size, offset + size)
        return offset


def _structure(name: str, about: str, body: str, known: Mapping[str, Structure]) -> Structure:
    scopes = [_Scope(union=False, first_field=0)]
    fields: list[Field] = []
    comment = ""  # stands before the next member, on lines of its own
    for token in _TOKEN.finditer(body):
        if token["comment"] is not None:
            if fields and "\n" not in body[: token.start()].rpartition(";")[2]:
                fields = _explained(fields, body, token, flat(token["comment"]))
            else:
                comment = flat(token["comment"])
        elif token["open"]:
            scopes.append(_Scope(union=token["open"] == "union", first_field=len(fields)))
        elif token["close"] is not None:
            inner = scopes.pop()
            size = _aligned(inner.size, inner.align)
            offset = scopes[-1].place(size, inner.align)
            fields[inner.first_field :] = [
                _moved(field, offset, token["close"]) for field in fields[inner.first_field :]
            ]
        else:
            for member in token["names"].split(","):
                fields.append(_placed(token["type"], member.strip(), comment, scopes[-1], known))
            comment = ""
    [outer] = scopes
    return Structure(name, about, _aligned(outer.size, outer.align), outer.align, tuple(fields))


def _placed(
    type_: str, member: str, meaning: str, scope: _Scope, known: Mapping[str, Structure]
) -> Field:
    name, _, count = member.rstrip("]").partition("[")
    type_ = " ".join(type_.split())
    structure = known.get(type_.removeprefix("struct "))
    if structure is None and type_ not in INTEGERS:
        die(
            f"The header uses {type_} for {name}, which is neither a fixed-size integer nor known.",
            "correct kern/uapi/dune.h",
            status=Status.USAGE,
        )
    each, align = (structure.size, structure.align) if structure else (INTEGERS[type_],) * 2
    size = each * int(count or 1)
    shown = f"{type_}[{count}]" if count else type_
    return Field(name, shown, scope.place(size, align), size, meaning)


def _explained(fields: list[Field], body: str, token: re.Match[str], meaning: str) -> list[Field]:
    """Give a comment at the end of a line to the members declared on it."""
    line = body[: token.start()].rpartition("\n")[2]
    declared = len(re.findall(r"\w+(?:\[\d+\])?(?=[,;])", line))
    done = [
        Field(field.path, field.type, field.offset, field.size, meaning)
        for field in fields[len(fields) - declared :]
    ]
    return [*fields[: len(fields) - declared], *done]


def _moved(field: Field, offset: int, prefix: str) -> Field:
    path = f"{prefix}.{field.path}" if prefix else field.path
    return Field(path, field.type, field.offset + offset, field.size, field.meaning)


def _aligned(size: int, align: int) -> int:
    return -(-size // align) * align


def _members(body: str) -> Iterator[Constant]:
    pattern = r"(?:/\*((?:(?!\*/).)*)\*/\s*)?(\w+) = (\w+),(?:[ \t]*/\*(.*?)\*/)?"
    for before, name, value, behind in re.findall(pattern, body, re.DOTALL):
        yield Constant(name, value, flat(behind or before))


def _macros(text: str) -> Iterator[Constant]:
    pattern = r"^#define (DUNE_\w+)[ \t]+(\(1u << \d+\)|\w+)[ \t]*(?:/\*(.*?)\*/)?$"
    for name, value, behind in re.findall(pattern, text, re.MULTILINE):
        yield Constant(name, value.strip("()"), flat(behind))


def _requests(text: str, structures: Mapping[str, Structure]) -> Iterator[Request]:
    kind = next(int(macro.value, 0) for macro in _macros(text) if macro.name == "DUNE_IOCTL_TYPE")
    for found in _REQUEST.finditer(text):
        size = structures[found["argument"]].size if found["argument"] else 0
        number = _DIRECTIONS[found["macro"]] << 30 | size << 16 | kind << 8
        yield Request(
            found["name"],
            number | int(found["number"], 0),
            found["macro"],
            found["argument"] or "",
            flat(found["comment"] or ""),
        )


def _prose(text: str, names: list[str]) -> Iterator[tuple[str, str]]:
    """Find what is said of each request; ``DUNE_A, DUNE_B: text`` is said of both."""
    said = r"((?:DUNE_\w+(?:, )?)+)(.*)"
    for comment in re.findall(r"^/\*\n((?:(?!\*/).)*)\*/", text, re.MULTILINE | re.DOTALL):
        found = re.fullmatch(said, flat(comment))
        for name in re.findall(r"\w+", found[1]) if found else ():
            if name in names:
                yield name, flat(comment)
