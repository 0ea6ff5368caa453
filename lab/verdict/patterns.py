# SPDX-License-Identifier: BSD-2-Clause
"""How kernels word their complaints: one row for each family, and what only sounds like one.

A row is believed only where a message *begins* with it. So nothing is quoted into an alarm: not
the kernel's command line ("... oops=panic"), not a program's name in an audit record, not a
subsystem's remark ("Spectre V2 : WARNING: ..."), not user space that logs about a test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum, auto

from lab.verdict.frames import FUNCTION
from lab.verdict.report import Kind


class Role(Enum):
    """How a line that matched relates to the report it stands in."""

    OPENING = auto()
    """It only says that something follows."""
    PREFACE = auto()
    """It says best what is wrong; the headline that follows belongs to it."""
    HEADLINE = auto()
    """It names the report, unless a preface has."""
    BANNER = auto()
    """The exception's own line: of the same report as the headline, if there was one."""
    CONCLUSION = auto()
    """It comes at the end and names the report."""
    PANIC = auto()
    """The end of the kernel, perhaps as the consequence of the report before it."""


@dataclass(frozen=True)
class Family:
    """One family of complaints.

    ``trigger`` are bytes that every line of it contains. ``start`` is matched at the beginning of
    a message; its groups fill ``title``, and its group ``at``, if any, names the function.
    ``placed`` is whether the title ends in "in FUNCTION". ``until`` matches the last line of the
    report where the kernel marks it; up to there everything belongs to it. A ``vague`` row is
    believed only if a kernel's stack trace follows, or where only the kernel can have written.
    """

    kind: Kind
    trigger: bytes
    start: re.Pattern[str]
    title: str
    role: Role = Role.HEADLINE
    placed: bool = True
    until: re.Pattern[str] | None = None
    vague: bool = False


_OOM_KILL = r"(?:Memory cgroup out|Out) of memory: Killed process \d+ \((?P<comm>.+?)\)"
_LOCKDEP = (
    r"(?P<what>possible [\w ]+?|inconsistent lock state|bad (?:unlock balance|contention)"
    r"|held lock freed|suspicious RCU usage|(?:HARD|SOFT)IRQ-safe -> .*? lock order"
    r"|Nested lock was not taken|lock held when returning to user space|Invalid wait context"
    r"|.* still has locks held)(?: detected)?!?(?: \])?$"
)
_rx = re.compile

FAMILIES = (
    # --- what opens a WARN() or a BUG(), and what says more than that it was one
    Family(
        Kind.OTHER, b"[ cut here ]", _rx(r"-+\[ cut here \]-+"), "report cut short", Role.OPENING
    ),
    Family(
        Kind.MEMORY,
        b"refcount_t: ",
        _rx(r"refcount_t: (?P<what>underflow|addition on 0|saturated|decrement hit 0|[^;.]+)"),
        "refcount {what}",
        Role.PREFACE,
    ),
    Family(Kind.MEMORY, b"list_add ", _rx("list_add "), "list_add corruption", Role.PREFACE),
    Family(Kind.MEMORY, b"list_del ", _rx("list_del "), "list_del corruption", Role.PREFACE),
    Family(
        Kind.MEMORY,
        b"usercopy: ",
        _rx(r"usercopy: Kernel memory (?P<what>exposure|overwrite) attempt detected"),
        "usercopy: kernel memory {what}",
        Role.PREFACE,
    ),
    Family(
        Kind.MEMORY,
        b"detected buffer overflow",
        _rx(r"(?:\w+: )?detected buffer overflow"),
        "FORTIFY: buffer overflow",
        Role.PREFACE,
    ),
    Family(
        Kind.MEMORY,
        b"detected field-spanning",
        _rx(r"\w+: detected field-spanning (?P<what>read|write)"),
        "FORTIFY: field-spanning {what}",
        Role.PREFACE,
    ),
    Family(
        Kind.HARDWARE,
        b"NETDEV WATCHDOG",
        _rx(r"(?:[\w:.\-]+ )*?(?:[\w\-]+: )?NETDEV WATCHDOG: "),
        "NETDEV WATCHDOG",
        Role.PREFACE,
        placed=False,
    ),
    Family(
        Kind.WARNING,
        b"WARNING: ",
        _rx(rf"WARNING: (?:CPU: \d+ PID: \d+ at \S+|\S+:\d+ at)(?: {FUNCTION})?"),
        "WARNING",
    ),
    # --- exceptions in ring 0
    Family(Kind.OOPS, b"kernel BUG at", _rx(r"kernel BUG at "), "kernel BUG"),
    Family(
        Kind.OOPS,
        b"BUG: ",
        _rx(r"BUG: kernel NULL pointer dereference"),
        "BUG: kernel NULL pointer dereference",
    ),
    Family(
        Kind.OOPS,
        b"BUG: ",
        _rx(r"BUG: unable to handle (?:kernel )?(?P<what>page fault|.+?) (?:for address|at)\b"),
        "BUG: unable to handle {what}",
    ),
    Family(Kind.OOPS, b"BUG: ", _rx(r"BUG: (?:\w+ )?stack guard page was hit"), "stack overflow"),
    Family(Kind.OOPS, b"PANIC: ", _rx(r"(?:traps: )?PANIC: double fault"), "double fault"),
    Family(
        Kind.OOPS,
        b" [#",
        _rx(
            r"(?:Oops: )?(?P<what>[A-Za-z][\w \-]*?)"
            r"(?:, (?:probably|maybe) .*?| for address .*?)?: [0-9a-f]{4} \[#\d+\]"
        ),
        "{what}",
        Role.BANNER,
    ),
    # --- no progress
    Family(Kind.LOCKUP, b"BUG: ", _rx(r"(?:watchdog: )?BUG: soft lockup - "), "soft lockup"),
    Family(
        Kind.LOCKUP,
        b"LOCKUP",
        _rx(r"(?:NMI )?watchdog: (?:CPU\d+: )?Watchdog detected hard LOCKUP"),
        "hard lockup",
    ),
    Family(
        Kind.LOCKUP,
        b"BUG: ",
        _rx(r"BUG: workqueue lockup - "),
        "workqueue lockup",
        placed=False,
    ),
    Family(
        Kind.STALL,
        b"INFO: ",
        _rx(r"(?:rcu: )?INFO: \w+ (?:self-)?detected (?:expedited )?stalls? "),
        "RCU stall",
    ),
    Family(
        Kind.HUNG_TASK,
        b"INFO: ",
        _rx(r"INFO: task .+? blocked (?:in I/O wait )?for more than \d+ seconds"),
        "task hung",
    ),
    # --- the rules of locking
    Family(
        Kind.LOCKING, b"BUG: ", _rx(r"BUG: scheduling while atomic: "), "scheduling while atomic"
    ),
    Family(
        Kind.LOCKING,
        b"BUG: ",
        _rx(r"BUG: sleeping function called from invalid context"),
        "sleeping function called from invalid context",
    ),
    Family(Kind.LOCKING, b"WARNING: ", _rx(rf"WARNING: {_LOCKDEP}"), "lockdep: {what}"),
    Family(Kind.LOCKING, b"BUG: ", _rx(rf"\[ BUG: {_LOCKDEP}"), "lockdep: {what}"),
    # --- memory
    Family(
        Kind.MEMORY,
        b"BUG: K",
        _rx(rf"BUG: (?P<tool>K[ACFM]\w+): (?P<what>.+?)(?: in (?:{FUNCTION}|.*)|$)"),
        "{tool}: {what}",
        until=_rx("={20,}"),
    ),
    Family(
        Kind.MEMORY,
        b"BUG ",
        _rx(r"BUG [\w\-]+ \((?:Not tainted|Tainted: .*?)\): (?P<what>.+?)(?: in | on |$)"),
        "SLUB: {what}",
        Role.PREFACE,
    ),
    Family(
        Kind.MEMORY,
        b"BUG: ",
        _rx(r"BUG: Bad page (?P<what>state|map|cache) in process (?P<comm>.+?)(?:  |$)"),
        "bad page {what} in process {comm}",
        placed=False,
    ),
    Family(
        Kind.MEMORY,
        b"BUG: ",
        _rx(r"BUG: (?P<what>Bad rss-counter state|non-zero pgtables_bytes) "),
        "{what}",
        placed=False,
    ),
    Family(
        Kind.MEMORY,
        b"UBSAN: ",
        _rx(r"UBSAN: (?P<what>[\w\-]+) in "),
        "UBSAN: {what}",
        until=_rx(r"={20,}|---\[ end trace"),
    ),
    Family(
        Kind.MEMORY,
        b"kmemleak: ",
        _rx(r"kmemleak: \d+ new suspected memory leaks"),
        "kmemleak: suspected memory leaks",
        placed=False,
    ),
    Family(Kind.MEMORY, b"unreferenced obj", _rx(r"unreferenced object 0x"), "kmemleak: leak"),
    Family(
        Kind.OOM,
        b"invoked oom-killer",
        _rx(r".{1,15} invoked oom-killer: "),
        "Out of memory",
        placed=False,
        until=_rx(_OOM_KILL),
    ),
    Family(
        Kind.OOM,
        b"of memory: Killed",
        _rx(_OOM_KILL),
        "Out of memory: killed process {comm}",
        Role.CONCLUSION,
        placed=False,
    ),
    Family(
        Kind.OOM,
        b"page allocation failure",
        _rx(r".{1,15}: page allocation failure: "),
        "page allocation failure",
    ),
    # --- hardware, which here is the emulator or the module that programs it
    Family(
        Kind.HARDWARE,
        b"[Hardware Error]",
        _rx(r"(?:mce: |\{\d+\})?\[Hardware Error\]: "),
        "machine check",
        placed=False,
    ),
    Family(
        Kind.HARDWARE,
        b"nobody cared",
        _rx(r"irq (?P<number>\d+): nobody cared"),
        "irq {number}: nobody cared",
        placed=False,
    ),
    # --- the end
    Family(
        Kind.PANIC,
        b"Kernel panic",
        _rx(r"Kernel panic - not syncing: (?P<reason>.*)"),
        "Kernel panic: {reason}",
        Role.PANIC,
        placed=False,
    ),
    # --- whatever else a kernel announces in these words
    Family(
        Kind.OTHER,
        b"BUG: ",
        _rx(r"(?P<what>BUG: .{1,80})"),
        "{what}",
        vague=True,
    ),
    Family(Kind.OTHER, b"WARNING: ", _rx(r"(?P<what>WARNING: .{1,80})"), "{what}", vague=True),
    Family(Kind.OTHER, b"INFO: ", _rx(r"(?P<what>INFO: .{1,80})"), "{what}", vague=True),
)
"""Ordered: the first that matches a message names its family."""

TRIGGER = re.compile(b"|".join(sorted(re.escape(t) for t in {f.trigger for f in FAMILIES})))
"""Any of the families' triggers: what the whole stream is searched for."""


@dataclass(frozen=True)
class Harmless:
    """A message that begins like a complaint and is none, and why."""

    start: re.Pattern[str]
    reason: str


HARMLESS = (
    Harmless(
        _rx(r"INFO: NMI handler \(.*\) took too long to run"),
        "measures the host: an emulated or preempted processor is slow",
    ),
    Harmless(
        _rx(r"INFO: lockdep is turned off"),
        "a footnote to other reports: who turned lockdep off was reported then",
    ),
    Harmless(
        _rx(
            r"WARNING: (?:can't (?:access|dereference)|stack recursion|kernel stack (?:regs|frame))"
        ),
        "the stack unwinder lost its way inside a trace; the trace belongs to the complaint",
    ),
    Harmless(
        _rx(r"WARNING: the mand mount option"),
        "advice to an administrator about an option that will go away",
    ),
)
"""All that vague rows would take for a complaint and we know to be none. Add a row with its reason
rather than weaken a pattern."""


def recognise(message: str) -> tuple[Family, re.Match[str]] | None:
    """Return the family whose complaint begins with this message, and how it matched."""
    for family in FAMILIES:
        if match := family.start.match(message):
            if family.vague and any(row.start.match(message) for row in HARMLESS):
                return None
            return family, match
    return None


_CAUSES_NAMED_BY_PANIC = (
    (_rx(r"VFS: Unable to mount root fs"), "unable to mount root"),
    (_rx(rf"stack-protector: Kernel stack is corrupted in: {FUNCTION}"), "stack corrupted in {at}"),
)


def panic_title(reason: str) -> str:
    """Word the title of a panic that is not the consequence of another report."""
    for start, title in _CAUSES_NAMED_BY_PANIC:
        if match := start.match(reason):
            return title.format(**match.groupdict())
    return f"Kernel panic: {reason}"


_NAMES_NO_CAUSE = _rx(
    r"Fatal exception|softlockup: |Hard LOCKUP|RCU Stall|hung_task: |Out of memory|System is deadlo"
    r"|Attempted to kill|Aiee, killing|Fatal .*[Mm]achine check|.*stack guard page|.*stack overflow"
)


def is_consequence(reason: str, kind: Kind) -> bool:
    """Whether a panic for ``reason`` was caused by the complaint just before it, of this kind."""
    if "panic_on_warn" in reason:
        return True
    # The kernel lives on after a mere warning: the next panic has a cause of its own.
    return kind not in (Kind.WARNING, Kind.OTHER) and bool(_NAMES_NO_CAUSE.match(reason))
