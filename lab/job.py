# SPDX-License-Identifier: BSD-2-Clause
"""The shell text around a remote command, by which all that it starts can be found and killed.

Each command runs in a control group of its own (cgroup v2, mounted by the image's init). No process
leaves it by making a session, losing its parent or ignoring signals, and one write to
``cgroup.kill`` reaches them all at once, forking or not. A guest without such groups has the next
best thing, the session: a process that made one of its own is not found there.
"""

from __future__ import annotations

import secrets
import shlex
from dataclasses import dataclass, field

GROUPS = "/sys/fs/cgroup/lab"
"""Where ``images/init`` lets the groups be made."""


@dataclass(frozen=True)
class Job:
    """The name of one command in the guest. ``name`` is unique; nobody else chooses it."""

    name: str = field(default_factory=lambda: secrets.token_hex(6))

    @property
    def group(self) -> str:
        """Its control group's directory in the guest."""
        return f"{GROUPS}/{self.name}"

    def wrapped(self, command: str) -> str:
        """Wrap a command; its status is then as in a shell, its output preceded by one line.

        That line is the session's id. The outer shell stays: it turns a death by signal into a
        status, for one sent as a signal over SSH would be dropped by paramiko. It removes the group
        afterwards; that fails, as it should, while something is left in it. A command that finds
        its group removed before it could join was killed already, and does not begin.
        """
        inner = (
            f"[ ! -d {GROUPS} ] || echo 0 2>/dev/null >{self.group}/cgroup.procs || exit\n"
            f"echo $$\n"
            f"{command}"
        )
        return (
            f"mkdir {self.group} 2>/dev/null\n"
            f"setsid sh -c {shlex.quote(inner)}\n"
            f"status=$?\n"
            f"rmdir {self.group} 2>/dev/null\n"
            f"exit $status"
        )

    def killing(self, session: int | None) -> str:
        """Build the command that kills everything of the job; status 0 once nothing is left.

        The group may be removed by the job's own outer shell, which outlives what it started.
        """
        fallback = _killing_session(session) if session is not None else "exit 0"
        return f"""group={self.group}
if [ -d $group ]; then
  for round in 1 2 3 4 5 6 7 8 9 10 11 12; do
    echo 1 >$group/cgroup.kill
    rmdir $group 2>/dev/null || [ ! -d $group ] && exit 0
    [ $round -gt 2 ] && sleep 0.1
  done
  exit 1
fi
{fallback}"""


def split_session(stdout: bytes) -> tuple[int | None, bytes]:
    """Separate the session id from a wrapped command's own output."""
    first, newline, rest = stdout.partition(b"\n")
    if newline and first.isdigit():
        return int(first), rest
    return None, stdout


def _killing_session(session: int) -> str:
    """Build the fall-back: kill every process of a session, in rounds, for some fork meanwhile.

    It reads ``/proc/PID/stat`` only: that never waits for a lock of the process looked at, which a
    process stuck in a broken kernel module may hold for ever. Shell built-ins only. Zombies count
    as gone.
    """
    return f"""for round in 1 2 3 4 5 6 7 8 9 10; do
  left=
  for stat in /proc/[0-9]*/stat; do
    read -r line 2>/dev/null < "$stat" || continue
    pid=${{line%% *}}; set -- ${{line##*) }}
    [ "$4" = {session} ] && [ "$1" != Z ] && left="$left $pid"
  done
  [ -z "$left" ] && exit 0
  kill -KILL $left 2>/dev/null
  [ $round -gt 2 ] && sleep 0.1
done; exit 1"""
