# SPDX-License-Identifier: BSD-2-Clause
"""Tables in Markdown, and the text that stands below the fields of a data class."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table. Bars in a cell are escaped; so must nothing else be."""
    return "\n".join(_lines(head, rows)) + "\n"


def _lines(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def fields_of(cls: type) -> Mapping[str, str]:
    """Return the names that a class assigns or declares, each with the string below it, or ``""``.

    Python itself does not keep these strings.
    """
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
    found: dict[str, str] = {}
    name = ""
    for node in tree.body if isinstance(tree, ast.ClassDef) else ():
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = as_markdown(inspect.cleandoc(str(node.value.value)))
            name = ""
            continue
        else:
            name = ""
            continue
        found[name] = ""
    return found


def as_markdown(docstring: str) -> str:
    """Turn a docstring into one line of Markdown; literals are what differs."""
    return " ".join(docstring.replace("``", "`").split())
