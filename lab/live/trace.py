# SPDX-License-Identifier: BSD-2-Clause
"""``dbos-lab trace``: dune.ko's tracepoints in a guest, shown on the host.

A shell script does it, sent to the guest's ``sh`` over SSH. It traces into an instance of its own,
so that it disturbs neither ftrace's other users nor another of its kind, and removes that in the
end. With a command, the trace comes when that has ended, whole and in order; what the command
writes goes to stderr. Without one, events are shown as they come.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab.errors import Status, die, unknown_name

EVENTS = ("entry", "exit", "fault", "notifier", "inject")
"""As in ``kern/trace.h``, without the prefix ``dune_``."""

BUFFER_KIB = 8192
"""Of each processor: about 80 000 events, and little beside a guest's memory."""
SECONDS = 10.0
"""How long to listen if neither that nor a command is given."""

_NO_EVENTS = 90
_NO_TRACEFS = 91
_BEGIN = f"""\
tracing=/sys/kernel/tracing
[ -e $tracing/events ] || mount -t tracefs tracefs $tracing || exit {_NO_TRACEFS}
[ -d $tracing/events/dune ] || exit {_NO_EVENTS}
"""
_INSTANCE = """\
instance=$tracing/instances/dbos-lab-$$
names=$(cat $tracing/options/record-cmd)
echo 0 >$tracing/options/record-cmd
mkdir $instance || status=1
echo $names >$tracing/options/record-cmd
[ -z "$status" ] || exit $status
trap 'echo 0 >$instance/tracing_on; rmdir $instance' EXIT
trap 'exit 130' HUP INT TERM
"""
"""Without names of threads, an option that instances take over: to record them the kernel patches
its scheduler, which runs meanwhile, and QEMU 7.2 may go on with the code as it was."""
_END = """\
echo 0 >$instance/tracing_on
lost=0
for cpu in $instance/per_cpu/cpu*; do
	lost=$((lost + $(sed -n 's/^overrun: //p' $cpu/stats)))
done
grep -v '^#' $instance/trace
[ $lost -eq 0 ] || echo "dbos-lab: the first $lost events were lost, the buffer is too small" >&2
exit $status
"""


def chosen_events(text: str | None) -> tuple[str, ...]:
    """Read ``--events exit,fault``; all of them if nothing is given."""
    names = tuple(name.strip() for name in text.split(",")) if text else EVENTS
    for name in names:
        if name not in EVENTS:
            unknown_name("event", name, EVENTS)
    return names


def ready_script() -> str:
    """Return the script that ends well in a guest whose module has tracepoints."""
    return _BEGIN


def script(events: Sequence[str], command: Sequence[str], seconds: float) -> str:
    """Return the script that traces."""
    enable = "".join(
        f"echo 1 >$instance/events/dune/dune_{event}/enable || exit 1\n" for event in events
    )
    begin = f"{_BEGIN}{_INSTANCE}echo {BUFFER_KIB} >$instance/buffer_size_kb\n{enable}"
    if not command:
        return f"{begin}timeout {seconds:g} cat $instance/trace_pipe\nexit 0\n"
    # As ssh does it: the words are joined, and the guest's shell takes them apart again.
    words = shlex.quote(" ".join(command))
    return f"{begin}sh -c {words} </dev/null >&2\nstatus=$?\n{_END}"


def ssh_argv(directory: Path) -> list[str]:
    """Return the command that feeds its input to a shell in the machine of that directory."""
    return ["ssh", "-F", str(directory / "ssh_config"), "-T", "guest", "sh -s"]


def trace(directory: Path, events: Sequence[str], command: Sequence[str], seconds: float) -> int:
    """Trace in the machine of that directory, onto stdout; returns the command's status."""
    argv = ssh_argv(directory)
    ready = subprocess.run(argv, input=ready_script(), text=True, check=False)
    if ready.returncode == _NO_EVENTS:
        die(
            "There are no tracepoints of dune.ko in that guest; is the module loaded?",
            "dbos-lab ssh insmod /lab/dune.ko",
            status=Status.FAILED,
        )
    if ready.returncode == _NO_TRACEFS:
        die(
            "The kernel of that guest cannot trace: it has no tracefs.",
            "boot an image whose kernel has CONFIG_EVENT_TRACING",
            status=Status.MISSING,
        )
    if ready.returncode != 0:
        die(
            f"That guest could not be asked; ssh ended with status {ready.returncode}.",
            "dbos-lab ps",
            status=Status.LOST,
        )
    text = script(events, command, seconds)
    return subprocess.run(argv, input=text, text=True, check=False).returncode
