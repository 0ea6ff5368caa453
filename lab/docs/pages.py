# SPDX-License-Identifier: BSD-2-Clause
"""All pages that are made from code, and what is done to those that people write."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.cli import cli
from lab.docs.api import api_pages
from lab.docs.commands import commands_page
from lab.docs.schema import schema_page
from lab.docs.suites import asked_for_page, options_page, verdicts_page

_PAGE = re.compile(r"(?<!\[)`docs/([\w/-]+\.md)`(?!\])")


def generated_pages(root: Path) -> Mapping[str, str]:
    """Return the pages by their paths in the site, for the checkout ``root``."""
    return {**pages_of_the_lab(root), **api_pages(root)}


def pages_of_the_lab(root: Path) -> Mapping[str, str]:
    """Return those of them that need nothing but Python."""
    return {
        "reference/commands.md": commands_page(cli),
        "reference/options.md": options_page(),
        "reference/tests.md": asked_for_page(root),
        "reference/images.md": schema_page(root),
        "reference/statuses.md": verdicts_page(),
    }


def headers_added(nav: object, index: str, pages: Iterable[str]) -> list[Any]:
    """Return the navigation with the pages that are beside ``index`` behind it."""
    folder = index.rpartition("/")[0]
    beside = [page for page in pages if page.rpartition("/")[0] == folder and page != index]

    def filled(node: object) -> Any:
        if isinstance(node, dict):
            return {title: filled(below) for title, below in node.items()}
        if isinstance(node, list):
            return [filled(below) for below in node] + (beside if index in node else [])
        return node

    return list(filled(nav))


def linked(markdown: str, page: str, known: Container[str]) -> str:
    """Make a link of each page that the text of ``page`` names by its path in the checkout.

    So the sources read well in an editor, and MkDocs checks the links.
    """
    up = "../" * page.count("/")

    def link(found: re.Match[str]) -> str:
        name = found[1]
        return f"[{found[0]}]({up}{name})" if name in known and name != page else found[0]

    return _PAGE.sub(link, markdown)
