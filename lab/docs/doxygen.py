# SPDX-License-Identifier: BSD-2-Clause
"""What Doxygen finds declared in the public headers of libdbos: names, kinds and lines."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from lab.errors import Status, die

_SETTINGS = """
INPUT = {headers}
STRIP_FROM_PATH = {headers}
OUTPUT_DIRECTORY = {output}
RECURSIVE = YES
FILE_PATTERNS = *.h
OPTIMIZE_OUTPUT_FOR_C = YES
EXTRACT_ALL = YES
GENERATE_HTML = NO
GENERATE_LATEX = NO
GENERATE_XML = YES
XML_PROGRAMLISTING = NO
QUIET = YES
WARN_AS_ERROR = FAIL_ON_WARNINGS
WARN_IF_UNDOCUMENTED = NO
"""
_SECONDS = 120.0


@dataclass(frozen=True)
class Declaration:
    """Something that a program can name. ``header`` is as it is included: ``dbos/mm.h``."""

    name: str
    kind: str
    """``function``, ``define``, ``typedef``, ``enum``, ``struct`` or ``variable``."""
    header: str
    line: int


def declarations(headers: Path) -> tuple[Declaration, ...]:
    """Have Doxygen read all headers below ``headers``; a missing or failing one dies."""
    if shutil.which("doxygen") is None:
        die("doxygen is not installed.", "make docs  # installs it", status=Status.MISSING)
    with tempfile.TemporaryDirectory() as directory:
        done = subprocess.run(
            ["doxygen", "-"],
            input=_SETTINGS.format(headers=headers, output=directory),
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
        if done.returncode:
            die(
                "Doxygen does not take the headers of libdbos.",
                "correct what it says below",
                status=Status.BUILD,
                detail=done.stderr,
            )
        found = tuple(_read(Path(directory) / "xml", headers))
    return tuple(sorted(found, key=lambda each: (each.header, each.line, each.name)))


def _read(directory: Path, headers: Path) -> Iterator[Declaration]:
    for path in sorted(directory.glob("*.xml")):
        if path.name == "index.xml":
            continue
        for compound in ElementTree.parse(path).iter("compounddef"):
            kind = compound.get("kind", "")
            if kind == "struct":
                yield _declaration(compound, "compoundname", kind, headers)
            elif kind == "file":
                for member in compound.iter("memberdef"):
                    if member.findtext("name"):  # an enum may have none
                        yield _declaration(member, "name", member.get("kind", ""), headers)


def _declaration(element: ElementTree.Element, name: str, kind: str, headers: Path) -> Declaration:
    location = element.find("location")
    if location is None:
        raise ValueError(f"Doxygen says not where {element.findtext(name)} is")
    file = Path(location.get("file", ""))
    header = file.relative_to(headers) if file.is_absolute() else file
    text = element.findtext(name, "")
    return Declaration(text, kind, str(header), int(location.get("line", "0")))
