# SPDX-License-Identifier: BSD-2-Clause
"""Two runs of a measurement, compared: by how much they differ, and whether that says anything."""
