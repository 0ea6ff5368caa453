# SPDX-License-Identifier: BSD-2-Clause
"""What decides the order in which the processors of a deterministic emulator take their turns.

Two knobs. ``time0`` works everywhere: the kernel stirs the date into its random numbers, these
decide how it lays out its memory and its stacks, and so when each processor gets where; one second
more is another run. ``quantum`` is Bochs's own, for how long a processor's turn lasts. A Bochs with
a debugger, as Debian's, ignores it and takes 5 (seen in 2.7: the same console under 5 and 16);
it is passed on, and recorded, for one without.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

QUANTA = range(1, 33)
"""Instructions a processor may execute before the next has its turn; Bochs takes these."""
EPOCH = 1_700_000_000
"""The clock's start unless a seed says otherwise, as ``time(2)``: fixed, or no two runs are equal.
"""


@dataclass(frozen=True)
class Interleaving:
    """One of the orders: the same machine under the same one does the same, byte for byte.

    As long as nothing outside takes part: what arrives over the network arrives when it does.
    """

    quantum: int = 16
    """Instructions to a turn, where Bochs heeds it."""
    time0: int = EPOCH
    """The guest's clock at power-on, in seconds since 1970."""

    def __post_init__(self) -> None:
        if self.quantum not in QUANTA:
            raise ValueError(f"the quantum is {QUANTA[0]} to {QUANTA[-1]} instructions")

    @classmethod
    def from_seed(cls, seed: int) -> Interleaving:
        """Choose one by a number; neighbouring numbers choose unrelated ones."""
        choice = random.Random(seed)
        # A day's seconds: enough to differ, and no certificate or file becomes too old by it.
        return cls(choice.choice(QUANTA), EPOCH + choice.randrange(86_400))
