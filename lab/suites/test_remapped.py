# SPDX-License-Identifier: BSD-2-Clause
"""System calls on pages that the program has remapped: the host uses what the guest sees."""

import pytest

from lab.session.backend import Backend


@pytest.mark.parametrize("how", ["", "hooked"])
def test_the_host_uses_what_the_guest_sees(backend: Backend, how: str) -> None:
    ran = backend.run(f"/lab/remapped {how}")
    assert (ran.text, ran.status) == ("remapped: ok, 2 faults\n", 0), ran.stderr.decode()
