# SPDX-License-Identifier: BSD-2-Clause
"""The files with debug information that belong to a machine, and where its modules were loaded.

The deployment notes both in the machine's directory as it happens: when a machine has died, or
hangs, nobody can be asked any more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from lab.machine.rundir import RECORD

SYMBOLS = "symbols"
Symbols = Mapping[str, bytes]
"""Everything that was noted of a machine, by file name."""
DEBUG_KERNELS = Path("/usr/lib/debug/boot")
"""Where a distribution's debug package puts the kernel with DWARF."""


def sections_command(module: str) -> str:
    """Build the guest's command that tells where the sections of a loaded module are."""
    return f"cd /sys/module/{module}/sections && grep -H . .text .data .bss .rodata 2>/dev/null"


def note_modules(directory: Path, files: Iterable[Path]) -> None:
    """Keep a copy of the modules among ``files``, as they are here: with their DWARF."""
    for file in files:
        if file.suffix == ".ko":
            target = directory / SYMBOLS / file.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(file.read_bytes())


def note_sections(directory: Path, module: str, listing: str) -> None:
    """Keep where a module was loaded; ``listing`` is what ``sections_command`` printed."""
    target = directory / SYMBOLS / f"{module}.sections.json"
    target.parent.mkdir(exist_ok=True)
    addresses = {name: hex(address) for name, address in read_sections(listing).items()}
    target.write_text(json.dumps(addresses, indent=2) + "\n")


def read_sections(listing: str) -> dict[str, int]:
    """Read what ``sections_command`` printed: ``.text:0xffffffffc026c000``, a line for each."""
    found = re.findall(r"^(\.[\w.]+):(0x[0-9a-f]+)$", listing, re.M)
    return {name: int(address, 16) for name, address in found}


def noted_sections(directory: Path, module: str) -> Mapping[str, int]:
    """Return where the module was loaded last, as far as it was noted."""
    try:
        noted = json.loads((directory / SYMBOLS / f"{module}.sections.json").read_text())
        return {name: int(address, 16) for name, address in noted.items()}
    except (OSError, ValueError):
        return {}


def noted_symbols(directory: Path) -> Symbols:
    """Return what was noted, for a machine that is put into this one's state."""
    return {file.name: file.read_bytes() for file in sorted((directory / SYMBOLS).glob("*"))}


def note_symbols(directory: Path, symbols: Symbols) -> None:
    """Note the same of another machine."""
    if symbols:
        (directory / SYMBOLS).mkdir(exist_ok=True)
    for name, data in symbols.items():
        (directory / SYMBOLS / name).write_bytes(data)


def symbol_files(directory: Path, debug_kernels: Path = DEBUG_KERNELS) -> dict[str, Path]:
    """Map names of modules to files with DWARF; the empty name to the kernel's, if there is one.

    The kernel's is ``symbols/vmlinux`` if someone put it there, or the one of an installed debug
    package for the release in the machine's record.
    """
    files = {
        file.stem.replace("-", "_"): file for file in sorted((directory / SYMBOLS).glob("*.ko"))
    }
    try:
        release = json.loads((directory / RECORD).read_text()).get("kernel_release", "")
    except (OSError, ValueError):
        release = ""
    for vmlinux in (directory / SYMBOLS / "vmlinux", debug_kernels / f"vmlinux-{release}"):
        if vmlinux.is_file():
            return {"": vmlinux, **files}
    return files
