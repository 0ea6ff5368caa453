# SPDX-License-Identifier: BSD-2-Clause
"""Threads and processes made inside that share the maker's memory: they begin outside."""

import pytest

from lab.session.backend import Backend

pytestmark = pytest.mark.lab_boot("seed")


@pytest.mark.parametrize("how", ["1000", "hooked 100"])
def test_children_begin_outside(backend: Backend, how: str) -> None:
    ran = backend.run(f"/lab/children {how}")
    assert (ran.text, ran.status) == ("children: ok\n", 0), ran.stderr.decode()
