# SPDX-License-Identifier: BSD-2-Clause
"""System calls through the proxy answer what they answer natively."""

import re

import pytest

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


@pytest.mark.parametrize(
    ("case", "status", "said"),
    [
        ("execve", 0, "executed"),
        ("exit_group", 42, "exit_group"),
        *((case, 0, case) for case in ("bases", "fs", "refused", "futex", "io_uring", "handlers")),
    ],
)
def test_calls_that_are_more_than_a_question(
    backend: Backend, case: str, status: int, said: str
) -> None:
    ran = backend.run(f"/lab/special {case}")
    assert (ran.text, ran.status) == (f"special: {said} ok\n", status), ran.stderr.decode()


@pytest.mark.parametrize("trace", [True, False])
def test_unknown_numbers_are_counted_and_reported_once(backend: Backend, trace: bool) -> None:
    ran = backend.run(f"{'DBOS_TRACE=1' if trace else ''} /lab/special unknown")
    assert (ran.text, ran.status) == ("special: unknown ok\n", 0), ran.stderr.decode()
    reported = re.findall(r"^dbos: unknown system call (\d+),", ran.stderr.decode(), re.M)
    assert reported == (["100000", "400"] if trace else [])
