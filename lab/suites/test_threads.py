# SPDX-License-Identifier: BSD-2-Clause
"""More threads than processors enter, work and leave."""

import re

import pytest

from lab.session.backend import Backend


@pytest.mark.parametrize(("threads", "rounds"), [(8, 10), (32, 2), (1, 20)])
def test_threads_enter_work_and_leave(backend: Backend, threads: int, rounds: int) -> None:
    said = backend.run(f"/lab/threads {threads} {rounds}", check=True).text
    found = re.fullmatch(
        rf"threads: ok, {threads} threads entered and left {rounds} times each, "
        r"(\d+) world switches\n",
        said,
    )
    assert found, said
    assert int(found[1]) >= threads * rounds


def test_two_processes_at_once(backend: Backend) -> None:
    both = backend.run("/lab/threads 4 5 & /lab/threads 4 5 && wait $!", check=True)
    assert both.text.count("threads: ok") == 2
