# SPDX-License-Identifier: BSD-2-Clause
"""The reference of libdbos: a page for each public header, and an index of all names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from lab.docs.doxygen import Declaration, declarations
from lab.docs.headers import Section, paragraphs, sections

HEADERS = Path("libdbos/include")
FOLDER = "reference/libdbos"
INDEX = f"{FOLDER}/index.md"

_TOKEN = re.compile(
    r"<(?P<header>dbos/\w+\.h|dune(?:/\w+)?\.h)>"
    r"|@(?P<argument>\w+)"
    r"|(?P<code>\b\w+\(\)|-E[A-Z0-9]+\b|\b(?:DBOS|DUNE)_\w+|\bdbos_\w+)"
    r"|(?P<special>[*_<>`\[\]])"
)


def api_pages(root: Path) -> Mapping[str, str]:
    """Return the pages by their paths in the site."""
    directory = (root / HEADERS).resolve()
    known = declarations(directory)
    headers = sorted({each.header for each in known})
    links = {each.name: f"{_file(each.header)}#{anchor(each.name)}" for each in reversed(known)}
    pages = {
        f"{FOLDER}/{_file(header)}": "\n".join(
            _page(header, sections((directory / header).read_text()), known, links)
        )
        for header in headers
    }
    return {INDEX: "\n".join(_index(headers, known)), **pages}


def anchor(name: str) -> str:
    """Where a name is on its page. Macros and functions may differ in case only."""
    return f"c.{name}"


def _file(header: str) -> str:
    return header.removesuffix(".h").replace("/", "-") + ".md"


def _page(
    header: str,
    parts: Sequence[Section],
    known: Iterable[Declaration],
    links: Mapping[str, str],
) -> Iterator[str]:
    here = [each for each in known if each.header == header]
    yield f"# <{header}\\>"
    yield ""
    for number, part in enumerate(parts):
        last = part.code_line + part.code.count("\n")
        names = [each for each in here if part.code and part.code_line <= each.line <= last]
        if number and names:
            yield _heading(names)
            yield ""
        elif number:
            yield "---"  # what is said of several that follow
            yield ""
        else:
            yield from (f'<a id="{anchor(each.name)}"></a>' for each in names)
        for paragraph in paragraphs(part.prose):
            yield paragraph if paragraph.startswith("\t") else marked_up(paragraph, links)
            yield ""
        code = re.sub(r"^#include .*\n?", "", part.code, flags=re.M).strip("\n")
        if code:
            yield f"```c\n{code}\n```"
            yield ""


def _heading(names: Sequence[Declaration]) -> str:
    functions = [each for each in names if each.kind == "function"]
    shown = functions or [each for each in names if each.kind != "define"] or names
    title = ", ".join(dict.fromkeys(_shown(each) for each in shown[:4]))
    title += ", ..." if len(shown) > 4 else ""
    unique = dict.fromkeys(anchor(each.name) for each in names)
    return "".join(f'<a id="{name}"></a>' for name in unique) + f"\n\n## {title}"


def _shown(each: Declaration) -> str:
    if each.kind == "function":
        return f"`{each.name}()`"
    return f"`{each.kind} {each.name}`" if each.kind in ("struct", "enum") else f"`{each.name}`"


def marked_up(text: str, links: Mapping[str, str]) -> str:
    """Turn the plain text of a comment into Markdown, with links to names that are known."""

    def replaced(found: re.Match[str]) -> str:
        if found["header"]:
            return f"[`<{found['header']}>`]({_file(found['header'])})"
        if found["argument"]:
            return f"`{found['argument']}`"
        if found["special"]:
            return f"\\{found['special']}"
        target = links.get(found["code"].removesuffix("()"))
        return f"[`{found['code']}`]({target})" if target else f"`{found['code']}`"

    return _TOKEN.sub(replaced, text)


def _index(headers: Iterable[str], known: Sequence[Declaration]) -> Iterator[str]:
    yield "# libdbos"
    yield ""
    yield "The public headers as they are, each declaration below the text that is about it. What"
    yield "is declared was found by Doxygen. How the parts fit is in [libdbos](../../libdbos.md)."
    for header in headers:
        yield ""
        yield f"## [`<{header}>`]({_file(header)})"
        yield ""
        here = [each for each in known if each.header == header]
        unique = {each.name: each for each in here}
        yield ", ".join(
            f"[{_shown(each)}]({_file(header)}#{anchor(name)})" for name, each in unique.items()
        )
    yield ""
