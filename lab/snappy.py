# SPDX-License-Identifier: BSD-2-Clause
"""What the lab knows of snapshots."""

ENGINES = ("lazy", "epoch", "instant")
"""By which they are cut, in the order of ``tests/guest/engines.h``."""
