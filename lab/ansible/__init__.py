# SPDX-License-Identifier: BSD-2-Clause
"""The roles of ``ansible/`` on a machine of the lab's, and suites on what they make of it."""
