# SPDX-License-Identifier: BSD-2-Clause
"""A session as JUnit XML, with the verdicts as properties.

Not pytest's own: that one is written once, at the end, and a session that was killed has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import Properties, Property

from lab.report.entry import Entry

PROPERTIES = ("verdict", "title", "also", "cell", "machine", "artefacts", "again")


def write_junit(entries: Sequence[Entry], file: Path) -> None:
    """Write all entries into one file."""
    suite = TestSuite("dbos-lab")
    for entry in entries:
        suite.add_testcase(_case(entry))
    document = JUnitXml()
    document.add_testsuite(suite)
    document.write(str(file), pretty=True)


def _case(entry: Entry) -> TestCase:
    module, _, name = entry.test.partition("::")
    case = TestCase(name or module, module.removesuffix(".py").replace("/", "."), entry.seconds)
    properties = Properties()  # type: ignore[no-untyped-call]
    for key in PROPERTIES:
        if value := getattr(entry, key):
            properties.add_property(Property(key, _printable(value)))
    case.append(properties)  # type: ignore[no-untyped-call]
    if entry.outcome == "skipped":
        case.result = [Skipped(_printable(entry.reason))]
    elif not entry.good:
        kind = Failure if entry.outcome == "failed" else Error
        result = kind(_printable(f"{entry.verdict}: {entry.title}".strip(": ")))
        result.text = _printable("\n\n".join(entry.texts.values()))
        case.result = [result]
    return case


def _printable(text: str) -> str:
    """Without what XML 1.0 cannot carry (section 2.2); a console may hold anything."""
    return "".join(
        char if char >= " " or char in "\t\n" else "\N{REPLACEMENT CHARACTER}"
        for char in text
        if char not in "\ufffe\uffff"
    )
