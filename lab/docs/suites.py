# SPDX-License-Identifier: BSD-2-Clause
"""The reference of what a test can ask for, and of what comes of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from lab.docs.table import as_markdown, fields_of, table
from lab.engine import ENGINES, SVM_ICOUNT
from lab.errors import Status
from lab.options import markdown_table
from lab.session.markers import MARKERS, capabilities
from lab.verdict.verdict import Verdict

FIXTURES = Path("lab/session/fixtures.py")


def options_page() -> str:
    """Return the page on options, and on the capabilities that one of them takes."""
    named = ", ".join(f"`{name}`" for name in sorted(capabilities()))
    engines = [
        (f"`{each.name}`", each.vendor.value, each.accelerator.value, f"`{each.cpu}`")
        for each in (*ENGINES, SVM_ICOUNT)
    ]
    return (
        "# Options of pytest\n\n"
        "The command line wins over the environment, that over the ini file, that over the "
        "default.\n\n"
        f"{markdown_table()}\n"
        "## Capabilities\n\n"
        f"What `--lab-require` and the marker `lab_requires` know: {named}.\n\n"
        "## Engines\n\n" + table(("engine", "vendor", "executed by", "CPU model"), engines)
    )


def asked_for_page(root: Path) -> str:
    """Return the page on fixtures and markers."""
    markers = [(f"`{each.usage}`", each.help) for each in MARKERS]
    return (
        "# Fixtures and markers\n\n"
        "A test gets what its arguments name. Fixtures whose names begin with `lab_` are what "
        "the others are made of.\n\n"
        + table(("fixture", "what a test gets"), _fixtures(root / FIXTURES))
        + "\n## Markers\n\nA wrong argument is refused before anything runs.\n\n"
        + table(("marker", "meaning"), markers)
    )


def _fixtures(path: Path) -> Iterator[tuple[str, str]]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and any(map(_is_fixture, node.decorator_list)):
            yield f"`{node.name}`", as_markdown(ast.get_docstring(node) or "")


def _is_fixture(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(called) == "pytest.fixture"


def verdicts_page() -> str:
    """Return the page on verdicts and on exit statuses, which tell them apart."""
    verdicts, statuses = fields_of(Verdict), fields_of(Status)
    judged = [
        (
            f"`{each.value}`",
            verdicts[each.name],
            "yes" if each.machine_usable else "no",
            str(int(each.status)),
        )
        for each in Verdict
    ]
    ended = [(str(int(each)), f"`{each.name}`", statuses[each.name]) for each in Status]
    return (
        "# Verdicts and exit statuses\n\n"
        "The highest verdict with evidence wins; what else was found stands beside it. "
        "[Verdicts](../verdicts.md) says what counts as evidence.\n\n"
        + table(("verdict", "meaning", "machine used again", "exit status"), judged)
        + "\n## Exit status of `dbos-lab`\n\n"
        + table(("status", "name", "meaning"), ended)
    )
