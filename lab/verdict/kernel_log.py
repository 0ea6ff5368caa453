# SPDX-License-Identifier: BSD-2-Clause
"""The guest's kernel log as records: what is new in it, what of it the kernel itself said.

``/dev/kmsg`` gives each record its number, so that the new part is known exactly even after the
ring buffer has wrapped around, and its facility, so that user space cannot raise an alarm. The
format is in the kernel's Documentation/ABI/testing/dev-kmsg.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lab.verdict.report import Report
from lab.verdict.scanner import scan

_KERNEL = 0
"""The facility of the kernel's own messages; user space cannot write it."""
_END = "dbos-lab: end of the kernel log"


def read_command(token: str) -> str:
    """Return the guest command that prints all records there are; ``parse`` takes its output.

    A read of /dev/kmsg waits at the end for the next record, and busybox cannot read without
    waiting. So the command writes a last record, named by ``token`` (a word, fresh at each call),
    and stops there. It writes two: sed reads one line ahead.
    """
    mark = f"{_END} {token}"
    return (
        f"for i in 1 2; do echo '<15>{mark}' >/dev/kmsg; done; sed '/^15,[^;]*;{mark}$/q' /dev/kmsg"
    )


@dataclass(frozen=True)
class Record:
    """One message: who said it, how grave it is (0 to 7), its number, microseconds since boot."""

    facility: int
    level: int
    sequence: int
    microseconds: int
    text: str
    """May have several lines."""


_RECORD = re.compile(r"(\d+),(\d+),(\d+),[^;]*;(.*)")
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")


def parse(text: str) -> tuple[Record, ...]:
    """Read records in the form of /dev/kmsg, without the ends that ``read_command`` writes.

    Lines that are none are skipped: a record's "KEY=value" properties, a line cut by the reader.
    """
    return tuple(
        Record(
            facility=int(match[1]) >> 3,
            level=int(match[1]) & 7,
            sequence=int(match[2]),
            microseconds=int(match[3]),
            text=_unescape(match[4]),
        )
        for line in text.split("\n")
        if (match := _RECORD.fullmatch(line)) and not match[4].startswith(_END)
    )


def _unescape(text: str) -> str:
    """Undo the kernel's escapes: a byte that is not printable ASCII is written in hexadecimal."""
    data = _ESCAPE.sub(lambda escape: bytes([int(escape[1], 16)]), text.encode())
    return data.decode(errors="replace")


@dataclass(frozen=True)
class Baseline:
    """What a kernel had to say for itself before a test began."""

    taint: int
    records: tuple[Record, ...]


@dataclass(frozen=True)
class News:
    """The records that were added, and about how many more the ring buffer has overwritten."""

    records: tuple[Record, ...]
    lost: int


def news(before: Sequence[Record], after: Sequence[Record]) -> News:
    """Return what ``after`` has that came after the last record of ``before``.

    ``lost`` is not 0 if the ring buffer wrapped around so far that records of the time between
    are gone; it counts the reader's own marks too. Both readings must be of the same boot.
    """
    last = before[-1].sequence if before else -1
    oldest = after[0].sequence if after else 0
    new = tuple(record for record in after if record.sequence > last)
    return News(new, max(0, oldest - last - 1))


def render(records: Iterable[Record]) -> str:
    """Return the records as text with time stamps, as the console shows them."""
    return "".join(
        f"[{record.microseconds / 1e6:12.6f}] {line}\n"
        for record in records
        for line in record.text.split("\n")
    )


def complaints(records: Iterable[Record]) -> tuple[Report, ...]:
    """Return the complaints in the kernel's own messages."""
    own = render(record for record in records if record.facility == _KERNEL)
    return scan(own.encode(), kernel_only=True)


def without_quotations(console: Iterable[Report], records: Iterable[Record]) -> tuple[Report, ...]:
    """Drop the reports on the console that user space had written, by the kernel log's word.

    A console does not tell who wrote a line; the log has it as a record of another facility.
    """
    quoted = {
        line.rstrip()
        for record in records
        if record.facility != _KERNEL
        for line in record.text.split("\n")
    }
    return tuple(r for r in console if r.text.partition("\n")[0] not in quoted)
