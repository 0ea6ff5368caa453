# SPDX-License-Identifier: BSD-2-Clause
"""Run a program inside an unpacked tree: a release's own compiler, with its own headers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_ENTER = r"""
tree=$1 source=$2
mount --bind "$tree" "$tree"
mount -t tmpfs -o mode=0755 dev "$tree/dev"
for node in full null random tty urandom zero; do
	: >"$tree/dev/$node"
	mount --bind "/dev/$node" "$tree/dev/$node"
done
ln -s /proc/self/fd "$tree/dev/fd"
mount -t tmpfs -o mode=1777 tmp "$tree/tmp"
mount -t proc proc "$tree/proc"
mount --bind "$source" "$tree/src"
shift 2
exec chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LC_ALL=C "$@"
"""
"""Runs in private namespaces: all these mounts vanish with the last process in them."""


def inside(tree: Path, source: Path, argv: Sequence[str]) -> list[str]:
    """Build the command line that runs ``argv`` in ``tree``, with ``source`` at ``/src`` there.

    It needs root and namespaces of its own: see ``lab.image.contain``.
    """
    return ["sh", "-ec", _ENTER, "enter-tree", str(tree), str(source), *argv]
