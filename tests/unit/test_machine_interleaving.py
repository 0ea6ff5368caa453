# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.machine.interleaving import EPOCH, QUANTA, Interleaving


@given(st.integers())
def test_a_seed_is_one_order(seed: int) -> None:
    order = Interleaving.from_seed(seed)
    assert order == Interleaving.from_seed(seed)
    assert order.quantum in QUANTA
    assert EPOCH <= order.time0 < EPOCH + 86_400


def test_seeds_reach_every_quantum_and_many_clocks() -> None:
    orders = [Interleaving.from_seed(seed) for seed in range(500)]
    assert {order.quantum for order in orders} == set(QUANTA)
    assert len({order.time0 for order in orders}) > 450


@pytest.mark.parametrize("quantum", [0, 33, -1])
def test_what_bochs_does_not_take_is_refused(quantum: int) -> None:
    with pytest.raises(ValueError, match="1 to 32"):
        Interleaving(quantum=quantum)
