# SPDX-License-Identifier: BSD-2-Clause
"""dbos-lab: boots a machine, makes a process privileged in it, and proves what that buys."""
