# SPDX-License-Identifier: BSD-2-Clause
"""System calls through the proxy answer what they answer natively."""

import re

from lab.session.backend import Backend


def test_table_of_calls_answers_alike(backend: Backend) -> None:
    result = backend.run("/lab/syscalls")
    verdicts = re.findall(r"^(\w+) (same|DIFFERENT) (.*)$", result.text, re.M)
    assert len(verdicts) >= 30, result.text + result.stderr.decode()
    assert [verdict for verdict in verdicts if verdict[1] != "same"] == []
    assert result.status == 0


def test_the_calls_really_went_through_the_proxy(backend: Backend) -> None:
    said = backend.run("/lab/syscalls", check=True).text
    counts = re.search(r"(\d+) compared, 0 different, (\d+) proxied", said)
    assert counts, said
    assert int(counts[2]) >= int(counts[1])
