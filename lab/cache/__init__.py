# SPDX-License-Identifier: BSD-2-Clause
"""What the lab has stored on this host: how much, and what of it nobody used for long."""
