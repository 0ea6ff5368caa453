# SPDX-License-Identifier: BSD-2-Clause
"""A system without a machine: commands run in its files, at the host's speed, on the host's kernel.

What they change lies in a folder above the files, by overlayfs; the files stay as they are.
"""

from __future__ import annotations

from pathlib import Path

from lab.deadline import Deadline
from lab.errors import Status, die
from lab.image.contain import (
    contained_here,
    require_containment,
    require_programs,
    run_logged,
    tail,
    tool_environment,
)
from lab.system.disk import write_disk_argv
from lab.system.tree import require_root

COMMAND_SECONDS = 900.0
_ENTER = r"""
tree=$1 place=$2
shift 2
mkdir -p "$place/changed" "$place/work" "$place/root"
mount -t overlay -o "lowerdir=$tree,upperdir=$place/changed,workdir=$place/work" \
	system "$place/root"
"""
_MOUNT = r"""
root=$place/root
mount -t tmpfs -o mode=0755 dev "$root/dev"
for node in full null random tty urandom zero; do
	: >"$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t proc proc "$root/proc"
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C \
	DEBIAN_FRONTEND=noninteractive sh -ec "$1"
"""
_RUN = f"{_ENTER}{_MOUNT}"
_PACK = f'{_ENTER}exec "$@" -d "$place/root"'
"""Without what is mounted in it to run programs."""


class Chroot:
    """The files in ``tree`` and what was changed in them, in ``place``. Root's alone.

    ``place`` must not lie on an overlay itself.
    """

    def __init__(self, tree: Path, place: Path) -> None:
        require_root()
        require_programs("unshare", "mount", "chroot")
        require_containment()
        self.tree = tree
        self.place = place

    @property
    def changed(self) -> Path:
        """Where files are that were changed; what is put there is in the system."""
        return self.place / "changed"

    def run(self, command: str) -> str:
        """Run a shell command in it; return what it printed. A status other than 0 is an error."""
        return self._enter(_RUN, [command], command)

    def write_disk(self, disk: Path) -> None:
        """Write a disk that boots it."""
        argv = write_disk_argv(disk, self.tree)
        self._enter(_PACK, argv, "making a disk")

    def _enter(self, script: str, arguments: list[str], what: str) -> str:
        log = self.place / "log"
        argv = ["sh", "-ec", script, "enter", str(self.tree), str(self.place), *arguments]
        status = run_logged(
            contained_here(argv),
            log,
            environment=tool_environment(),
            deadline=Deadline.after(COMMAND_SECONDS, what),
        )
        if status != 0:
            die(
                f"status {status} of {what!r} in {self.tree.parent.name}",
                f"less {log}",
                status=Status.FAILED,
                detail=tail(log, 40),
            )
        return log.read_text(errors="replace")
