# SPDX-License-Identifier: BSD-2-Clause
"""What a memory dump tells without debug information: which kernel it was, and its log.

drgn opens the dump. It is an optional dependency (``dbos-lab[crash]``): the dump is also taken
without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.crash.printk import UnreadableLogError, kernel_log, parse_vmcoreinfo
from lab.errors import Status, die


@dataclass(frozen=True)
class Vmcore:
    """What was read from a dump."""

    release: str
    """As ``uname -r`` said in the guest."""
    banner: str
    """``Linux version ...``, found by name in the dead kernel's own symbol table."""
    log: str
    """As ``dmesg`` would have printed it."""


def read_vmcore(path: Path) -> Vmcore:
    """Open the dump and read it. Dies with ``MISSING`` without drgn, ``FAILED`` if it refuses."""
    try:
        import drgn  # noqa: PLC0415 (optional)
        from drgn.helpers.linux.kallsyms import load_vmlinux_kallsyms  # noqa: PLC0415
    except ImportError:
        die(
            "drgn is not installed, so the memory dump was not read.",
            "pip install 'dbos-lab[crash]'",
            status=Status.MISSING,
        )
    program = drgn.Program()
    try:
        program.set_core_dump(path)
        text = program["VMCOREINFO"].string_().decode()
        program.register_symbol_finder("kallsyms", load_vmlinux_kallsyms(program), enable_index=0)
        banner = program.read_c_string(program.symbol("linux_banner").address).decode()
        log = kernel_log(parse_vmcoreinfo(text), program.read)
    # drgn reports a file it cannot make sense of as a plain Exception.
    except Exception as error:
        what = error if isinstance(error, UnreadableLogError) else f"drgn says: {error}"
        die(
            f"The memory dump {path} cannot be read: {what}.",
            f"drgn -c {path}",
            status=Status.FAILED,
        )
    fields = dict(line.partition("=")[::2] for line in text.splitlines())
    return Vmcore(fields.get("OSRELEASE", ""), banner.strip(), log)
