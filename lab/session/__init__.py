# SPDX-License-Identifier: BSD-2-Clause
"""What the pytest plugin does with a session: its matrix, its machines, a verdict on each test."""
