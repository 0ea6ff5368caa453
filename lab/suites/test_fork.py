# SPDX-License-Identifier: BSD-2-Clause
"""fork() inside: the child is an ordinary process, the parent stays privileged."""

import pytest

from lab.session.backend import Backend


@pytest.mark.parametrize("how", ["plain", "hooked"])
def test_fork_makes_an_ordinary_process(backend: Backend, how: str) -> None:
    within = backend.guest.machine.limits.command / 3  # 20 s on TCG
    ran = backend.run(f"/lab/fork {how}", timeout=within)
    assert (ran.text, ran.status) == ("fork: ok\n", 0), ran.stderr.decode()
