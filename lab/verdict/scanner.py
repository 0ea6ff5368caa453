# SPDX-License-Identifier: BSD-2-Clause
"""Finds the complaints of a kernel in what it prints."""

from __future__ import annotations

from lab.verdict.report import Report


class Scanner:
    """Finds reports in a stream that arrives in arbitrary pieces."""

    def feed(self, data: bytes) -> list[Report]:
        """Take the next piece; return the reports that are complete now."""
        raise NotImplementedError

    def finish(self) -> list[Report]:
        """Return what is still open at the end of the stream."""
        raise NotImplementedError


def scan(data: bytes) -> tuple[Report, ...]:
    """Return all reports of a complete stream."""
    scanner = Scanner()
    return (*scanner.feed(data), *scanner.finish())
