# SPDX-License-Identifier: BSD-2-Clause
"""Test sessions by the hundred, on many hosts: what to run, where it runs, what came of it."""
