# SPDX-License-Identifier: BSD-2-Clause
"""The kernel's taint flags: the memory of a complaint whose text was lost.

Numbers and letters: the kernel's Documentation/admin-guide/tainted-kernels.rst.
"""

from __future__ import annotations

from dataclasses import dataclass

READ_TAINT = "cat /proc/sys/kernel/tainted"
"""The guest command; its output goes into ``parse_taint``."""


@dataclass(frozen=True)
class Taint:
    """One flag. ``complaint``: gaining it fails a test, even if the log says nothing."""

    bit: int
    letter: str
    meaning: str
    complaint: bool = False


TAINTS = (
    Taint(0, "P", "a proprietary module was loaded"),
    Taint(1, "F", "a module was loaded by force", complaint=True),
    Taint(2, "S", "the processor is out of specification"),
    Taint(3, "R", "a module was unloaded by force", complaint=True),
    Taint(4, "M", "a machine check happened", complaint=True),
    Taint(5, "B", "a page or an allocator's data was bad", complaint=True),
    Taint(6, "U", "user space asked for this taint"),
    Taint(7, "D", "the kernel died: an oops or a BUG", complaint=True),
    Taint(8, "A", "an ACPI table was overridden"),
    Taint(9, "W", "the kernel warned", complaint=True),
    Taint(10, "C", "a staging driver was loaded"),
    Taint(11, "I", "the platform's firmware has a known defect"),
    Taint(12, "O", "an out-of-tree module was loaded"),
    Taint(13, "E", "an unsigned module was loaded"),
    Taint(14, "L", "a soft lockup happened", complaint=True),
    Taint(15, "K", "the kernel was live-patched"),
    Taint(16, "X", "a distribution's own taint"),
    Taint(17, "T", "structure layouts were randomized"),
    Taint(18, "N", "an in-kernel test was run"),
)
"""A module that had to be forced is a complaint because nothing after it can be believed: its
idea of the kernel's structures is wrong, or its code went away while in use. O and E are normal
here: dune.ko is both. The others describe a machine rather than an event.
"""


def parse_taint(text: str) -> int:
    """Read what ``READ_TAINT`` printed: the flags as one decimal number."""
    return int(text.strip())


def gained(before: int, after: int) -> tuple[Taint, ...]:
    """Return the flags that are set ``after`` and were not ``before``, lowest bit first.

    A flag of a newer kernel, without a name here, counts as a complaint until someone names it.
    """
    new = after & ~before
    known = {taint.bit: taint for taint in TAINTS}
    return tuple(
        known.get(bit) or Taint(bit, "?", f"taint bit {bit}, unknown to the lab", complaint=True)
        for bit in range(new.bit_length())
        if new >> bit & 1
    )
