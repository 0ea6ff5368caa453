# SPDX-License-Identifier: BSD-2-Clause
"""What MkDocs calls while it builds (``hooks`` in ``mkdocs.yml``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

from lab.docs.api import INDEX
from lab.docs.pages import generated_pages, headers_added, linked

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made from code; those of headers to the navigation too."""
    root = Path(config.config_file_path).parent
    pages = generated_pages(root)
    for path, text in pages.items():
        files.append(File.generated(config, path, content=text))
    config.nav = headers_added(config.nav, INDEX, pages)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Make links of the names of other pages. MkDocs passes all four by name."""
    del config
    return linked(markdown, page.file.src_uri, files.src_uris.keys())
