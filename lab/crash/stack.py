# SPDX-License-Identifier: BSD-2-Clause
"""Stack traces in the text a kernel prints: where each begins, its frames, what it is about.

Made for x86-64 and kernels from 5.10 on. The text may come from a serial console or a kernel log,
with time stamps and caller ids or without.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Frame:
    """``symbol+offset/size [module]``, as the kernel names an address."""

    symbol: str
    offset: int
    size: int
    """Up to the next symbol, so with the padding; bytes, like ``offset``."""
    module: str = ""
    """Empty for the kernel itself."""
    is_return: bool = True
    """The address behind a call; otherwise (RIP) that of the instruction itself."""
    reliable: bool = True
    """False for what was merely found on the stack, printed with ``?``."""

    def __str__(self) -> str:
        text = f"{self.symbol}+{self.offset:#x}/{self.size:#x}"
        return f"{text} [{self.module}]" if self.module else text


@dataclass(frozen=True)
class Trace:
    """One stack, innermost frame first."""

    title: str
    """The line that says what happened; empty if the kernel printed a stack without one."""
    task: str = ""
    """The line ``CPU: 1 PID: 121 Comm: sh ...``."""
    frames: tuple[Frame, ...] = ()
    code: str = ""
    """The bytes around the faulting instruction, as printed behind ``Code:``."""


_PREFIX = re.compile(r"^(?:<\d+>)?(?:\[ *\d+\.\d+\])?(?:\[ *[TC]\d+\])? ?")
_TITLE = re.compile(
    r"^(?:Kernel panic - not syncing: |BUG: |kernel BUG at |Oops: |WARNING: |PANIC: |UBSAN: "
    r"|general protection fault|double fault|traps: |divide error|invalid opcode"
    r"|INFO: \S.* (?:blocked|stall|detected|possible)|watchdog: BUG: |rcu: INFO: )"
)
_TASK = re.compile(r"^CPU: \d+ (?:UID: \d+ )?PID: \d+ Comm: ")
_END = re.compile(r"^(?:---\[ end |Kernel Offset: |</TASK>)")
_ADDRESS = (
    r"(?P<symbol>[A-Za-z_.$][\w.$]*)\+0x(?P<offset>[0-9a-f]+)/0x(?P<size>[0-9a-f]+)"
    r"(?: \[(?P<module>[\w-]+)(?: [0-9a-f]+)?\])?\s*$"
)
_FRAME = re.compile(rf"^ *(?P<guess>\? )?{_ADDRESS}")
_RIP = re.compile(rf"^RIP: [0-9a-f]{{4}}:{_ADDRESS}")
_CODE = re.compile(r"^Code: ([0-9a-f<>() ]+?)\s*$")


def traces(text: str) -> tuple[Trace, ...]:
    """Return all stack traces in ``text``, in order; those without any frame are left out."""
    return tuple(trace for trace in _all(text) if trace.frames)


def fatal(text: str) -> Trace | None:
    """Return the trace of what ended the kernel: the last one, under the panic's own message.

    An oops that turns into a panic prints its stack first and "Kernel panic" at the end; a panic
    by itself the other way round.
    """
    found = traces(text)
    if not found:
        return None
    panics = re.findall(r"Kernel panic - not syncing: .*", text)
    trace = found[-1]
    if panics and panics[-1].strip() not in trace.title:
        title = f"{trace.title}; {panics[-1].strip()}" if trace.title else panics[-1].strip()
        trace = replace(trace, title=title)
    return trace


def _all(text: str) -> Iterator[Trace]:
    open_: Trace | None = None
    for raw in text.splitlines():
        line = _PREFIX.sub("", raw.rstrip(), count=1)
        starts = _TITLE.match(line) or _TASK.match(line)
        if starts and (open_ is None or open_.frames):
            if open_ is not None:
                yield open_
            open_ = Trace("")
        if open_ is None:
            continue
        open_ = _extended(open_, line)
        if _END.match(line.lstrip()) and open_.frames:
            yield open_
            open_ = None  # x86 prints the registers of an oops once more; they are no new stack
    if open_ is not None:
        yield open_


def _extended(trace: Trace, line: str) -> Trace:
    """Add to a trace what the line has for it."""
    if _TITLE.match(line):
        return trace if trace.title else replace(trace, title=line)
    if _TASK.match(line):
        return replace(trace, task=line)
    faulted = any(not frame.is_return for frame in trace.frames)
    if found := _CODE.match(line):
        # Without a RIP in the kernel before it, this is the code of the process that called it.
        return replace(trace, code=found[1]) if faulted and not trace.code else trace
    if (found := _RIP.match(line)) and not faulted:
        return replace(trace, frames=(*trace.frames, _frame(found, is_return=False)))
    if found := _FRAME.match(line):
        return replace(trace, frames=(*trace.frames, _frame(found, is_return=True)))
    return trace


def _frame(found: re.Match[str], *, is_return: bool) -> Frame:
    return Frame(
        found["symbol"],
        int(found["offset"], 16),
        int(found["size"], 16),
        found["module"] or "",
        is_return=is_return,
        reliable=not found.groupdict().get("guess"),
    )
