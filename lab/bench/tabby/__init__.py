# SPDX-License-Identifier: BSD-2-Clause
"""``make bench-tabby``: one tree on pools by the MMU, by ``madvise`` and by a hash table.

One driver (``apps/tabby``) runs on each of them in turns, in one machine, on one store. Operations
of one thread are counted in instructions. Shootdowns take two processors, which the engine that
counts does not have: two threads are timed in another machine, on the emulator, where ratios within
that run, and nothing else, say something. Pages read and written, evictions, exits and interrupts
are exact in both.
"""
