# SPDX-License-Identifier: BSD-2-Clause
"""``make bench-snapshot``: what snapshots cost, against ``fork`` and what else Linux has for them.

One program (``tests/guest/snapshot_costs``) measures all of it, natively and inside. What one
processor shows is counted in instructions, in one machine. What takes two processors, writers that
meet and transactions beside scans, is timed in another, on the emulator that has them: ratios
within that run, and nothing else, say something. Instructions have no cache misses, which make
``fork`` worse on real hardware, and no nested walks, which cost us there.
"""
