# SPDX-License-Identifier: BSD-2-Clause
"""The fault zoo: machines broken on purpose, to test and to measure what watches them."""
