# SPDX-License-Identifier: BSD-2-Clause
"""Finds the complaints of a kernel in what it prints, however much that is.

Two stages. The whole stream is searched for a few byte strings, one of which every complaint
contains; only lines with one of these, and the lines of a report, are looked at. What is found
depends on the bytes alone, not on how the stream was cut into pieces. Memory is constant: a line
is at most ``_MAX_LINE`` bytes, the rest of a longer one counts as another line, and a report's
text is bounded.
"""

from __future__ import annotations

import math
import re

from lab.console import plain
from lab.verdict.draft import Draft
from lab.verdict.patterns import TRIGGER, Role, recognise
from lab.verdict.report import Report

_MAX_LINE = 4096

_STAMP = r"\[\s*\d+\.\d{6}\]"
_NEXT_MESSAGE = re.compile(rf"(?=<\d+>{_STAMP})|(?<!>)(?={_STAMP})")
"""A time stamp begins a message even in the middle of a line: another processor or user space had
printed half a line."""
_PREFIX = re.compile(
    rf"(?:<\d+>)?(?P<stamp>{_STAMP})?"  # level, seconds since the boot
    r"(?:\[\s*[TC]\d+\])?"  # task or processor, with CONFIG_PRINTK_CALLER
    r" ?"
)


class Scanner:
    """Finds reports in a stream that arrives in arbitrary pieces.

    ``kernel_only`` says that nothing but the kernel can have written the stream. A console is not
    like that: there, vague words without a stack trace are taken for somebody else's.
    """

    def __init__(self, *, kernel_only: bool = False) -> None:
        self._kernel_only = kernel_only
        self._held = b""  # the beginning of a line whose end is to come
        self._offset = 0  # of _held in the stream
        self._draft: Draft | None = None
        self._panicked_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether a report has begun whose end is not known yet; ``finish`` would return it."""
        return self._draft is not None

    def feed(self, data: bytes) -> list[Report]:
        """Take the next piece; return the reports that are complete now."""
        block = self._held + data
        end = block.rfind(b"\n") + 1
        end += (len(block) - end) // _MAX_LINE * _MAX_LINE
        reports = self._scan(block[:end])
        self._held = block[end:]
        self._offset += end
        return reports

    def finish(self) -> list[Report]:
        """Return what is still open at the end of the stream, half a line included."""
        reports = self._scan(self._held)
        self._offset += len(self._held)
        self._held = b""
        return reports + self._close()

    def _scan(self, block: bytes) -> list[Report]:
        """Look at whole lines."""
        reports: list[Report] = []
        at = 0
        while at < len(block):
            if self._draft is None:
                hit = TRIGGER.search(block, at)
                if hit is None:
                    break
                begin = max(block.rfind(b"\n", at, hit.start()) + 1, at)
                at = begin + (hit.start() - begin) // _MAX_LINE * _MAX_LINE
            newline = block.find(b"\n", at, at + _MAX_LINE)
            end = newline + 1 if newline >= 0 else at + _MAX_LINE
            reports += self._line(block[at:end], self._offset + at)
            at = end
        return reports

    def _line(self, line: bytes, offset: int) -> list[Report]:
        suspicious = TRIGGER.search(line) is not None
        reports: list[Report] = []
        for message in filter(None, _NEXT_MESSAGE.split(plain(line).rstrip())):
            reports += self._message(message, offset, suspicious)
        return reports

    def _message(self, line: str, offset: int, suspicious: bool) -> list[Report]:
        prefix = _PREFIX.match(line)
        stamp = prefix["stamp"] if prefix is not None else None
        seconds = float(stamp.strip("[]")) if stamp else None
        message = line[prefix.end() :] if prefix is not None else line
        reports: list[Report] = []
        found = recognise(message) if suspicious else None
        if found is not None and not self._after_panic(seconds):
            family, match = found
            if self._draft is None or not self._draft.takes(family, match):
                reports += self._close()
                self._draft = Draft(family, match, offset)
            if family.role is Role.PANIC:
                self._panicked_at = math.inf if seconds is None else seconds
        if self._draft is not None and not self._draft.add(message):
            reports += self._close()
        return reports

    def _after_panic(self, seconds: float | None) -> bool:
        """Whether a line is of a kernel that has panicked: such complaints are consequences.

        Time going back means that another kernel has booted. Processors disagree a little.
        """
        if self._panicked_at is None:
            return False
        if seconds is None or seconds > self._panicked_at - 1:
            return True
        self._panicked_at = None
        return False

    def _close(self) -> list[Report]:
        draft, self._draft = self._draft, None
        if draft is None or (draft.doubtful and not self._kernel_only):
            return []
        return [draft.report()]


def scan(data: bytes, *, kernel_only: bool = False) -> tuple[Report, ...]:
    """Return all reports of a complete stream, in their order."""
    scanner = Scanner(kernel_only=kernel_only)
    return (*scanner.feed(data), *scanner.finish())
