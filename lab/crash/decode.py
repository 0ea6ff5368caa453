# SPDX-License-Identifier: BSD-2-Clause
"""From ``symbol+offset [module]`` to file and line, by the DWARF of the unstripped file.

A module is relocatable: it has no addresses, only sections. So a symbol is looked up in its symbol
table (pyelftools), and ``addr2line`` is asked for an offset in that symbol's section; it also
knows what the compiler inlined.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from lab.crash.stack import Frame, Trace

_TIMEOUT = 30.0
"""Seconds for one look-up; it needs 0.05 in a module and 2 in a whole kernel."""
_BUILD_PREFIX = re.compile(r"^(?:/src/|/usr/src/linux-[^/]*/|/build/[^ ]*?/(?=[a-z]+/)|\./)")
"""Where the sources were while they were compiled: see ``lab.build``, and Debian's builders."""


@dataclass(frozen=True)
class Place:
    """A line of source. ``file`` is relative to the checkout, or to the kernel's sources."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class _Symbol:
    section: str
    """Empty if the file is linked, where addresses are absolute."""
    address: int
    size: int


def locate(frame: Frame, file: Path) -> tuple[Place, ...]:
    """Find the source of a frame in ``file``, a ``.ko`` or a ``vmlinux`` with DWARF.

    The innermost inlined function comes first. Empty if the file has no such symbol or no DWARF.
    """
    symbol = _symbol(file, frame)
    if symbol is None:
        return ()
    # A return address may already belong to the next line; the call is before it.
    address = symbol.address + frame.offset - (1 if frame.is_return else 0)
    section = ["-j", symbol.section] if symbol.section else []
    argv = ["addr2line", "-f", "-i", *section, "-e", str(file), f"{address:#x}"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return parse_addr2line(done.stdout)


def parse_addr2line(text: str) -> tuple[Place, ...]:
    """Read pairs of lines, function and ``file:line``; places without a line are left out."""
    lines = text.splitlines()
    places = []
    for function, where in zip(lines[::2], lines[1::2], strict=False):
        found = re.match(r"(.*):(\d+)(?: \(discriminator \d+\))?$", where)
        if found and found[1] != "??" and int(found[2]) > 0:
            places.append(Place(function, _BUILD_PREFIX.sub("", found[1]), int(found[2])))
    return tuple(places)


def describe(trace: Trace, files: dict[str, Path]) -> str:
    """Write a trace with file and line behind every frame that they are known for.

    ``files`` maps module names to their files with DWARF; the empty name is the kernel's.
    """
    lines = [line for line in (trace.title, trace.task) if line]
    for frame in trace.frames:
        lead = "  " if frame.reliable else "  ? "
        file = files.get(frame.module)
        # What was merely found on the stack is mostly noise, and each look-up costs.
        places = locate(frame, file) if file and frame.reliable else ()
        lines.append(f"{lead}{frame}" + (f"  {places[-1]}" if places else ""))
        lines += [f"      inlined: {place.function}  {place}" for place in places[-2::-1]]
    if trace.code:
        lines.append(f"  code: {trace.code}")
    return "\n".join(lines) + "\n"


def _symbol(file: Path, frame: Frame) -> _Symbol | None:
    """Find the frame's symbol; of several with one name, the one whose size fits best."""
    try:
        with file.open("rb") as stream:
            elf = ELFFile(stream)
            table = elf.get_section_by_name(".symtab")
            if not isinstance(table, SymbolTableSection):
                return None
            linked = elf["e_type"] != "ET_REL"
            found = [
                _Symbol(
                    "" if linked else elf.get_section(symbol["st_shndx"]).name,
                    symbol["st_value"],
                    symbol["st_size"],
                )
                for symbol in table.get_symbol_by_name(frame.symbol) or ()
                if isinstance(symbol["st_shndx"], int)
            ]
    except (OSError, ELFError):
        return None
    # The kernel's size includes the padding up to the next symbol, the table's does not.
    fitting = [symbol for symbol in found if symbol.size <= frame.size]
    return min(fitting, key=lambda symbol: frame.size - symbol.size, default=None)
