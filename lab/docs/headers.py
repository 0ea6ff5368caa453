# SPDX-License-Identifier: BSD-2-Clause
"""A public header as sections: what a comment says, and the declarations that it is about.

The headers of libdbos are written to be read from top to bottom: a comment at the left margin is
about all that follows it, up to the next one. Doxygen hands a comment to one declaration, so it is
asked for the declarations only (``lab.docs.doxygen``), and the text is taken from here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LICENCE = "SPDX-License-Identifier"
_GUARD = re.compile(r"#ifndef (\w+_H)\n#define \1\n")
_BLOCK = re.compile(r"^/\*(.*?)\*/[ \t]*\n", re.M | re.S)


@dataclass(frozen=True)
class Section:
    """A comment and what it is about; either may be empty. ``line`` is that of the comment."""

    line: int
    prose: str
    code: str
    code_line: int
    """The number of the first line of ``code``."""


def sections(text: str) -> tuple[Section, ...]:
    """Split a header; the first section is about the whole file and has no code but ``#include``.

    Include guards and the licence are nobody's business here and are left out.
    """
    found: list[Section] = []
    blocks = [block for block in _BLOCK.finditer(text) if _LICENCE not in block[1]]
    ends = [block.start() for block in blocks[1:]] + [len(text)]
    for block, end in zip(blocks, ends, strict=True):
        code = _GUARD.sub(lambda guard: "\n" * guard[0].count("\n"), text[block.end() : end])
        code = re.sub(r"^#endif /\* \w+_H \*/$", "", code, flags=re.M)
        leading = len(code) - len(code.lstrip("\n"))
        first = text.count("\n", 0, block.end()) + 1 + leading
        line = text.count("\n", 0, block.start()) + 1
        found.append(Section(line, _prose(block[1]), code.strip("\n"), first))
    return tuple(found)


def _prose(comment: str) -> str:
    """Take the stars off. A comment of one line has none."""
    lines = (re.sub(r"^ \* ?", "", line).rstrip() for line in comment.strip("\n").splitlines())
    return "\n".join(line if line.startswith("\t") else line.strip() for line in lines).strip("\n")


def paragraphs(prose: str) -> tuple[str, ...]:
    """Split at empty lines, and at tables: lines that begin with a tab, kept as they are."""
    found: list[list[str]] = [[]]
    for line in prose.splitlines():
        if not line or (found[-1] and line.startswith("\t") != found[-1][-1].startswith("\t")):
            found.append([])
        if line:
            found[-1].append(line)
    return tuple("\n".join(lines) for lines in found if lines)
