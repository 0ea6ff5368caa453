# SPDX-License-Identifier: BSD-2-Clause
"""Integration suites: each runs in a guest and knows the rest by files and SSH only."""
