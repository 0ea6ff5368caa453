# SPDX-License-Identifier: BSD-2-Clause
"""What the pages tell a reader to type exists: commands, options, targets, files."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from lab.cli import cli
from lab.options import OPTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
TARGETS = frozenset(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
FLAGS = frozenset(option.flag for option in OPTIONS)
READERS_OWN = frozenset({"lab/suites/test_mine.py"})
"""Files that a page has its reader write."""


def typed(page: str) -> Iterator[str]:
    """Yield the lines of blocks in ``sh``, and commands within the text."""
    for block in re.findall(r"^```sh\n(.*?)^```", page, re.M | re.S):
        yield from block.splitlines()
    text = re.sub(r"^```.*?^```", "", page, flags=re.M | re.S)
    for span in re.findall(r"`((?:dbos-lab|make|pytest|python -m)\s[^`]*)`", text):
        yield " ".join(span.split())


def wrong(line: str) -> str:
    """Return what in a line does not exist, "" if all does."""
    words = [word for word in shlex.split(line, comments=True) if not word.startswith(">")]
    while words and (words[0] == "sudo" or re.match(r"\w+=", words[0])):
        words = words[1:]
    match words:
        case ["dbos-lab", *rest]:
            return wrong_command(cli, rest)
        case ["pytest", *rest]:
            return wrong_for_pytest(rest)
        case ["python", "-m", module, *_] if find_spec(module) is None:
            return module
        case ["make", "-C", directory, *_]:
            missing = [] if (ROOT / directory / "Makefile").is_file() else [directory]
        case ["make", *targets]:
            named = [word for word in targets if "=" not in word]  # the rest sets variables
            missing = [target for target in named if target not in TARGETS]
        case ["sh", script, *_]:
            missing = [] if (ROOT / script).is_file() else [script]
        case _:
            missing = []
    return " ".join(missing)


def wrong_command(command: click.Command, words: list[str]) -> str:
    """Follow subcommands as click does; what is passed on to another program is its business."""
    context = click.Context(command, **command.context_settings)
    known = {name for parameter in command.get_params(context) for name in parameter.opts}
    for number, word in enumerate(words):
        if word == "--" or (context.ignore_unknown_options and not word.startswith("--")):
            return ""
        if word.startswith("-"):
            if word.partition("=")[0] not in known and not context.ignore_unknown_options:
                return word
        elif isinstance(command, click.Group) and words[number - 1] not in known:
            below = command.commands.get(word)
            return word if below is None else wrong_command(below, words[number + 1 :])
    return ""


def wrong_for_pytest(words: list[str]) -> str:
    """Options of the lab, and paths."""
    return " ".join(
        word
        for word in words
        if (word.startswith("--lab-") and word.partition("=")[0] not in FLAGS)
        or (word.startswith("lab/") and word not in READERS_OWN and not (ROOT / word).exists())
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_says_to_type_exists(page: Path) -> None:
    found = {line: wrong(line) for line in typed(page.read_text())}
    assert {line: what for line, what in found.items() if what} == {}


def test_pages_have_something_to_type() -> None:
    assert sum(len(list(typed(page.read_text()))) for page in PAGES) > 60


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("dbos-lab crush", "crush"),
        ("dbos-lab image --image debian-12 biuld", "biuld"),
        ("dbos-lab image build --locket", "--locket"),
        ("dbos-lab compare a b --tolerance=5 --acros host", "--acros"),
        ("dbos-lab ssh ls --all", ""),
        ("dbos-lab trace -- ls --all", ""),
        ("make testt lint", "testt"),
        ("make -C kernel", "kernel"),
        ("DBOS_LAB_CPUS=2 pytest lab/suites/test_hallo.py", "lab/suites/test_hallo.py"),
        ("pytest lab/ --lab-sed 7  # seven", "--lab-sed"),
        ("python -m lab.nothing", "lab.nothing"),
        ("sudo sh kern/dune_requ.sh", "kern/dune_requ.sh"),
    ],
)
def test_what_does_not_exist_is_noticed(line: str, what: str) -> None:
    assert wrong(line) == what
