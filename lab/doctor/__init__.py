# SPDX-License-Identifier: BSD-2-Clause
"""Finds out which engines boot on this host, by booting a tiny kernel under each."""
