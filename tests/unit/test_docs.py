# SPDX-License-Identifier: BSD-2-Clause
"""The pages that are made from code have all of it; what MkDocs checks itself is not here."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from lab.cli import cli
from lab.docs.api import FOLDER, INDEX, anchor, api_pages, marked_up
from lab.docs.commands import commands_page, walk
from lab.docs.headers import Section, paragraphs, sections
from lab.docs.pages import headers_added, linked, pages_of_the_lab
from lab.docs.suites import asked_for_page, verdicts_page
from lab.docs.table import fields_of, table
from lab.errors import Status
from lab.image.spec import ImageSpec
from lab.options import OPTIONS
from lab.session import fixtures
from lab.verdict.verdict import Verdict

ROOT = Path(__file__).resolve().parents[2]
HEADER = """\
/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What it is for.
 *
 *	one()	a line of a table
 */
#ifndef DBOS_THIS_H
#define DBOS_THIS_H

#include <stddef.h>

/* What is said of both that follow. */

/*
 * Does it. -EINVAL: @size is 0.
 */
#define DBOS_ONE 1

int dbos_one(size_t size);
int dbos_two(void);

#endif /* DBOS_THIS_H */
"""


def test_a_header_is_split_at_its_comments_and_lines_are_counted() -> None:
    about, both, does = sections(HEADER)
    assert about.prose == "What it is for.\n\n\tone()\ta line of a table"
    assert both == Section(12, "What is said of both that follow.", "", both.code_line)
    assert does.prose == "Does it. -EINVAL: @size is 0."
    assert does.code == "#define DBOS_ONE 1\n\nint dbos_one(size_t size);\nint dbos_two(void);"
    assert HEADER.splitlines()[does.code_line - 1] == "#define DBOS_ONE 1"


def test_a_table_of_a_comment_is_kept_as_it_is() -> None:
    assert paragraphs("a\nb\n\ta\tb\n\tc\td\n\ne") == ("a\nb", "\ta\tb\n\tc\td", "e")


def test_names_in_comments_are_code_and_links() -> None:
    links = {"dbos_one": "dbos-this.md#c.dbos_one"}
    said = marked_up("dbos_one() of <dbos/mm.h>, *out is @size, -EINVAL", links)
    assert said == (
        "[`dbos_one()`](dbos-this.md#c.dbos_one) of [`<dbos/mm.h>`](dbos-mm.md), "
        "\\*out is `size`, `-EINVAL`"
    )


@pytest.mark.skipif(shutil.which("doxygen") is None, reason="no doxygen: make docs installs it")
def test_every_exported_function_and_every_header_is_in_the_reference() -> None:
    pages = api_pages(ROOT)
    exported = re.findall(r"^\t(\w+);", (ROOT / "libdbos/libdbos.map").read_text(), re.M)
    public = "".join(path.read_text() for path in (ROOT / "libdbos/include").rglob("*.h"))
    named = {name for name in exported if re.search(rf"\b{name}\b", public)}
    assert len(named) > 50
    text = "".join(pages.values())
    assert {name for name in named if f'id="{anchor(name)}"' not in text} == set()
    headers = {path.stem for path in (ROOT / "libdbos/include/dbos").glob("*.h")}
    assert {name for name in headers if f"{FOLDER}/dbos-{name}.md" not in pages} == set()


def test_pages_of_headers_stand_behind_their_index() -> None:
    nav = [{"Home": "index.md"}, {"Reference": [{"libdbos": [INDEX]}, "uapi.md"]}]
    pages = ["reference/options.md", INDEX, f"{FOLDER}/dbos-mm.md"]
    assert headers_added(nav, INDEX, pages) == [
        {"Home": "index.md"},
        {"Reference": [{"libdbos": [INDEX, f"{FOLDER}/dbos-mm.md"]}, "uapi.md"]},
    ]


def test_every_command_and_option_is_on_its_page() -> None:
    page = commands_page(cli)
    contexts = list(walk(cli))
    assert len(contexts) > 15
    for context in contexts[1:]:
        assert re.search(rf"^#+ {context.command_path}$", page, re.M)
        for parameter in context.command.params:
            if isinstance(parameter, click.Option):
                assert parameter.opts[0] in page


def test_every_option_fixture_verdict_and_status_is_on_its_page() -> None:
    pages = pages_of_the_lab(ROOT)
    assert all(option.flag in pages["reference/options.md"] for option in OPTIONS)
    asked_for = asked_for_page(ROOT)
    named = [
        name for name, value in vars(fixtures).items() if "fixture" in type(value).__name__.lower()
    ]
    assert len(named) > 10
    assert [name for name in named if f"| `{name}` | " not in asked_for] == []
    rows = verdicts_page()
    assert all(f"| `{verdict.value}` | " in rows for verdict in Verdict)
    assert all(f"| {int(status)} | `{status.name}` | " in rows for status in Status)


def test_the_text_below_a_field_is_its_meaning() -> None:
    said = fields_of(ImageSpec)
    assert said["release"] == "Debian code name; also selects the suites of the mirror."
    assert said["guest"] == ""
    assert all(fields_of(Status)[each.name] for each in Status if each is not Status.OK)


def test_a_bar_in_a_cell_is_none_of_the_table() -> None:
    assert table(("a",), [("x | y",)]) == "| a |\n|---|\n| x \\| y |\n"


def test_names_of_pages_become_links_from_wherever_they_are() -> None:
    known = {"snappy.md", "uapi.md"}
    assert linked("see `docs/snappy.md`", "uapi.md", known) == "see [`docs/snappy.md`](snappy.md)"
    assert linked("`docs/uapi.md`", "how-to/a.md", known) == "[`docs/uapi.md`](../uapi.md)"
    for kept in ("`docs/gone.md`", "[`docs/uapi.md`](x)", "`docs/models/`"):
        assert linked(kept, "a.md", known) == kept
    assert linked("`docs/uapi.md`", "uapi.md", known) == "`docs/uapi.md`"


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.filterwarnings("ignore:.*make_default_short_help:DeprecationWarning")
def test_manual_pages_are_there_for_every_command_and_well_formed(tmp_path: Path) -> None:
    pytest.importorskip("click_man", reason="no click-man: make docs installs it")
    from lab.docs.manual import write_manual

    (tmp_path / "dbos-lab-gone.1").touch()
    pages = write_manual(cli, tmp_path)
    wanted = {context.command_path.replace(" ", "-") + ".1" for context in walk(cli)}
    assert {page.name for page in pages} == wanted
    if shutil.which("man") is None:
        pytest.skip("no man: make docs installs it")
    for page in pages:
        done = subprocess.run(
            ["man", "--warnings", "--local-file", str(page)],
            env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stderr == ""
        assert "SYNOPSIS" in done.stdout


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("dbos-lab doc", "doctor"), ("dbos-lab run --pro", "--profile"), ("dbos-lab image l", "lock")],
)
def test_the_shell_is_told_what_can_follow(typed: str, offered: str) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['dbos-lab']; from lab.cli import main; main()",
        ],
        env={
            **os.environ,
            "_DBOS_LAB_COMPLETE": "bash_complete",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(typed.count(" ")),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"plain,{offered}" in done.stdout.splitlines()
