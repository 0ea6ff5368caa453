# SPDX-License-Identifier: BSD-2-Clause
"""fork() inside: the child is an ordinary process, the parent stays privileged."""

import pytest

from lab.guest import Guest


@pytest.mark.parametrize("how", ["plain", "hooked"])
def test_fork_makes_an_ordinary_process(module_loaded: Guest, how: str) -> None:
    within = module_loaded.machine.limits.command / 3  # 20 s on TCG
    ran = module_loaded.run(f"/lab/fork {how}", timeout=within)
    assert (ran.text, ran.status) == ("fork: ok\n", 0), ran.stderr.decode()
