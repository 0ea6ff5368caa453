# SPDX-License-Identifier: BSD-2-Clause
"""``make bench-redis``: what a save does to Redis's clients, by fork and on a snapshot."""
