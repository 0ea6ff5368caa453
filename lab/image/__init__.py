# SPDX-License-Identifier: BSD-2-Clause
"""Guest images: from a definition in ``images/`` to a kernel and an initramfs that boot."""
