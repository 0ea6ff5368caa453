# SPDX-License-Identifier: BSD-2-Clause
"""Measurements: each makes a table and ``build/bench/NAME.json``."""
