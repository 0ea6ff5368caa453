# SPDX-License-Identifier: BSD-2-Clause
"""One list of what machines need, and all that is written from it."""
