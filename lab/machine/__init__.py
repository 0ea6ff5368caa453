# SPDX-License-Identifier: BSD-2-Clause
"""One virtual machine, from its description to its end; ``boot.boot`` is the way in."""
