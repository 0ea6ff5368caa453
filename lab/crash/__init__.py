# SPDX-License-Identifier: BSD-2-Clause
"""What a panic leaves behind, and how it is read."""
