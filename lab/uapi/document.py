# SPDX-License-Identifier: BSD-2-Clause
"""Writes the tables of ``docs/uapi.md`` and ``kern/uapi/layout.h``, both from the header.

A table stands between two comments in the document, ``<!-- requests -->`` and
``<!-- end of requests -->``; everything else in it is written by people.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from lab.errors import Status, die
from lab.uapi.header import Constant, Header, Structure, read

HEADER = Path("kern/uapi/dune.h")
DOCUMENT = Path("docs/uapi.md")
LAYOUT = Path("kern/uapi/layout.h")
COMMAND = "python -m lab.uapi"


def generated(root: Path) -> Mapping[Path, str]:
    """Return what the two files should contain, by their paths below ``root``."""
    header = read((root / HEADER).read_text())
    return {
        DOCUMENT: with_tables((root / DOCUMENT).read_text(), header),
        LAYOUT: layout_header(header),
    }


def with_tables(document: str, header: Header) -> str:
    """Replace every table in the document."""
    tables: Mapping[str, Callable[[Header], Iterator[str]]] = {
        "requests": _requests,
        "structures": _structures,
        "constants": _constants,
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        if begin not in document or end not in document:
            die(
                f"{DOCUMENT} has no place for the {name}.",
                f"put the lines {begin} and {end} where they belong",
                status=Status.USAGE,
            )
        before, _, rest = document.partition(begin)
        after = rest.partition(end)[2]
        text = "\n".join(table(header))
        document = f"{before}{begin}\n\n{text}\n\n{end}{after}"
    return document


def _requests(header: Header) -> Iterator[str]:
    rows = [
        (
            f"`{request.name}`",
            "vCPU" if request.number & 0xF0 else "`/dev/dune`",
            f"`{request.number:#010x}`",
            {"_IO": "none copied", "_IOR": "out", "_IOW": "in", "_IOWR": "in, out"}[
                request.direction
            ],
            f"`struct {request.argument}`" if request.argument else "",
            str(request.number >> 16 & 0x3FFF),
        )
        for request in header.requests
    ]
    yield from _table(("request", "on", "number", "direction", "argument", "size"), rows)
    shown_below = {structure.about for structure in header.structures}
    for request in header.requests:
        said = header.prose.get(request.name, "")
        # The text goes on behind the name, which is shown already.
        said = "" if said in shown_below else said.removeprefix(request.name).lstrip(":, ")
        text = " ".join(_sentence(part) for part in (request.meaning, said) if part)
        if text:
            yield ""
            yield f"**`{request.name}`**: {text}"


def _structures(header: Header) -> Iterator[str]:
    for number, structure in enumerate(header.structures):
        if number:
            yield ""
        yield f"### struct {structure.name}: {structure.size} bytes"
        yield ""
        if structure.about:
            yield _escaped(structure.about)
            yield ""
        yield from _table(
            ("offset", "size", "type", "field", "meaning"),
            [
                (str(f.offset), str(f.size), f"`{f.type}`", f"`{f.path}`", _escaped(f.meaning))
                for f in structure.fields
            ],
        )


def _constants(header: Header) -> Iterator[str]:
    groups: dict[str, Sequence[Constant]] = {
        f"enum {name}": members for name, members in header.enums.items()
    }
    groups["Macros"] = header.macros
    for number, (title, constants) in enumerate(groups.items()):
        if number:
            yield ""
        yield f"### {title}"
        yield ""
        yield from _table(
            ("name", "value", "meaning"),
            [(f"`{c.name}`", f"`{c.value}`", _escaped(c.meaning)) for c in constants],
        )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(row)} |"


def _sentence(text: str) -> str:
    return _escaped(text if text.endswith(".") else f"{text}.")


def _escaped(text: str) -> str:
    return re.sub(r"([|<>*])", r"\\\1", text)


def layout_header(header: Header) -> str:
    """Write the assertions, for the compilers of both ends."""
    lines = [
        "/* SPDX-License-Identifier: (GPL-2.0-only WITH Linux-syscall-note) OR BSD-2-Clause */",
        "/*",
        f" * Written by `{COMMAND}` from dune.h: the layout that docs/uapi.md shows, asserted by",
        " * the compiler of the module and by that of every program that includes this.",
        " */",
        "#ifndef DUNE_LAYOUT_H",
        "#define DUNE_LAYOUT_H",
        "",
        '#include "dune.h"',
        "",
        "#define DUNE_AT(type, field, offset) \\",
        "\t_Static_assert(__builtin_offsetof(struct type, field) == (offset), \\",
        '\t\t       #type "." #field " is not where docs/uapi.md says")',
        "#define DUNE_IS(value, number) \\",
        '\t_Static_assert((value) == (number), #value " is not what docs/uapi.md says")',
        "",
    ]
    for structure in header.structures:
        lines += [*_assertions(structure), ""]
    lines += [f"DUNE_IS({request.name}, {request.number:#010x});" for request in header.requests]
    lines += ["", "#undef DUNE_AT", "#undef DUNE_IS", "", "#endif /* DUNE_LAYOUT_H */", ""]
    return "\n".join(lines)


def _assertions(structure: Structure) -> Iterator[str]:
    for field in structure.fields:
        yield f"DUNE_AT({structure.name}, {field.path}, {field.offset});"
    yield f"DUNE_IS(sizeof(struct {structure.name}), {structure.size});"
