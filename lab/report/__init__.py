# SPDX-License-Identifier: BSD-2-Clause
"""What a test session leaves: a line per test as it ends, JUnit, one page, and a way to replay."""
