# SPDX-License-Identifier: BSD-2-Clause
"""Run a program as root of its own small world, which ends with this process.

Building images and compiling in a foreign tree need mounts and chroot. Both happen in private
mount and PID namespaces: no mount can outlive its processes, and no process can outlive the first
one, which the kernel kills when its parent dies. An ordinary user gets a user namespace besides,
in which it is root with a single identity: all it writes belongs to that user.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lab.deadline import Deadline
from lab.errors import Status, die
from lab.machine.process import guarded
from lab.tool import run_tool

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Debian keeps depmod, chroot and modinfo where an ordinary user's PATH does not look."""
FORBIDDEN = ("Operation not permitted", "Permission denied")


def contained(argv: Sequence[str], *, root: bool, parent: int) -> list[str]:
    """Build the command line that runs ``argv`` in namespaces of its own until ``parent`` dies.

    ``root``: whether the caller is root already. The order matters for everyone else: entering a
    user namespace changes credentials, which cancels the parent-death signal asked for before.
    """
    identity = [] if root else ["unshare", "--user", "--map-root-user", "--"]
    world = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--"]
    return [*identity, *guarded([*world, *argv], parent)]


def contained_here(argv: Sequence[str]) -> list[str]:
    """``contained`` for this user and this process."""
    return contained(argv, root=os.geteuid() == 0, parent=os.getpid())


def require_programs(*names: str) -> None:
    """Die unless all of these programs are installed."""
    missing = [name for name in names if shutil.which(name, path=search_path()) is None]
    if missing:
        die(f"not installed: {', '.join(missing)}", "make setup", status=Status.MISSING)


def require_containment() -> None:
    """Die with the reason if this user may not make namespaces here."""
    done = run_tool(contained_here(["true"]), environment=tool_environment())
    if done.returncode != 0:
        why = done.stderr.strip() or f"status {done.returncode}"
        die(
            f"this user may not create namespaces here ({why})",
            "run the same command with sudo, or as root on a machine that allows unshare",
            status=Status.MISSING,
        )


def search_path() -> str:
    """PATH with the system directories behind it."""
    return f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}".lstrip(":")


def tool_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment for host programs: messages in English, because they are read by programs."""
    return {**os.environ, "LC_ALL": "C", "PATH": search_path(), **(extra or {})}


def run_logged(
    argv: Sequence[str],
    log: Path,
    *,
    environment: Mapping[str, str],
    deadline: Deadline,
    standard_input: bytes = b"",
    directory: Path | None = None,
    on_line: Callable[[str], None] = lambda _line: None,
) -> int:
    """Run a command, keep all it says in ``log``, show each line to ``on_line``; its exit status.

    In ``directory``, or in this process's own.

    The command gets a session of its own, so that Ctrl-C reaches only this process, which then
    ends the command and waits for that: afterwards nobody writes to the files any more.
    The same at the deadline, and then this dies with ``FAILED``.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as record:
        process = subprocess.Popen(
            argv,
            env=dict(environment),
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        assert process.stdin is not None and process.stdout is not None
        ender = threading.Timer(deadline.left(), process.kill)
        ender.daemon = True
        ender.start()
        try:
            with contextlib.suppress(BrokenPipeError), process.stdin:
                process.stdin.write(standard_input)
            for line in process.stdout:
                record.write(line)
                on_line(line.decode(errors="replace").rstrip("\n"))
            status = process.wait()
        except BaseException:
            process.send_signal(signal.SIGKILL)
            process.stdout.read()  # ends when the last one that could still write is gone
            process.wait()
            raise
        finally:
            ender.cancel()
            process.stdout.close()
    if status == -signal.SIGKILL and deadline.passed:
        die(
            f"{argv[0]} was not done within {deadline}.",
            f"less {log}  # says how far it came",
            status=Status.FAILED,
            detail=tail(log),
        )
    return status


def tail(log: Path, lines: int = 15) -> str:
    """Return the last lines of a log, for an error's detail."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
