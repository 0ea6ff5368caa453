# SPDX-License-Identifier: BSD-2-Clause
"""Random operations from one seed, and the few of them that matter when something breaks."""
