# SPDX-License-Identifier: BSD-2-Clause
"""Commands in namespaces of their own: how they are started, and that they always end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.deadline import Deadline
from lab.errors import LabError, Status
from lab.image.contain import (
    contained,
    contained_here,
    require_containment,
    require_programs,
    run_logged,
    tail,
    tool_environment,
)


@pytest.fixture
def containment() -> None:
    try:
        require_containment()
    except LabError as error:
        pytest.skip(error.message)


def soon() -> Deadline:
    return Deadline.after(30, "a test")


def running(mark: str) -> bool:
    """Tell whether a live process has ``mark`` in its command line."""
    done = subprocess.run(["ps", "-eo", "stat,args"], capture_output=True, text=True, check=True)
    return any(mark in line and line[0] != "Z" for line in done.stdout.splitlines())


def gone(mark: str, within: float = 5.0) -> bool:
    deadline = time.monotonic() + within
    while running(mark):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_user_becomes_root_before_asking_for_the_death_signal() -> None:
    argv = contained(["true"], root=False, parent=1)
    assert (
        argv.index("--map-root-user") < argv.index("--pdeathsig") < argv.index("--kill-child=KILL")
    )
    assert "--user" not in contained(["true"], root=True, parent=1)


def test_mounts_are_private_and_vanish(containment: None, tmp_path: Path) -> None:
    done = subprocess.run(
        contained_here(["sh", "-c", f"mount -t tmpfs x {tmp_path} && touch {tmp_path}/inside"]),
        env=tool_environment(),
        check=False,
    )
    assert done.returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_status_log_and_lines(tmp_path: Path) -> None:
    lines: list[str] = []
    log = tmp_path / "logs" / "log"
    status = run_logged(
        ["sh", "-c", "cat; echo oops >&2; exit 3"],
        log,
        environment=tool_environment(),
        deadline=soon(),
        standard_input=b"one\ntwo\n",
        on_line=lines.append,
    )
    assert status == 3
    assert lines == ["one", "two", "oops"]
    assert tail(log, 2) == "two\noops"


def test_command_that_reads_no_input_is_no_error(tmp_path: Path) -> None:
    big = b"x" * 1_000_000
    argv = ["sh", "-c", "exec <&-; sleep 0.1"]
    status = run_logged(argv, tmp_path / "log", environment={}, deadline=soon(), standard_input=big)
    assert status == 0


def test_a_deadline_ends_the_whole_namespace(containment: None, tmp_path: Path) -> None:
    mark = f"sleep 1{os.getpid()}.3"
    begun = time.monotonic()
    with pytest.raises(LabError, match=r"was not done within 0\.5 s for a test") as caught:
        run_logged(
            contained_here(["sh", "-c", f"{mark} & echo begun; {mark}"]),
            tmp_path / "log",
            environment=tool_environment(),
            deadline=Deadline.after(0.5, "a test"),
        )
    assert time.monotonic() - begun < 10
    assert caught.value.detail == "begun"
    assert not running(mark)


def test_interrupt_ends_the_whole_namespace(containment: None, tmp_path: Path) -> None:
    mark = f"sleep 1{os.getpid()}.1"

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_logged(
            contained_here(["sh", "-c", f"{mark} & echo begun; {mark}"]),
            tmp_path / "log",
            environment=tool_environment(),
            deadline=soon(),
            on_line=interrupt,
        )
    assert not running(mark)
    assert (tmp_path / "log").read_text() == "begun\n"


def test_killed_parent_takes_the_namespace_along(containment: None, tmp_path: Path) -> None:
    mark = f"sleep 1{os.getpid()}.2"
    code = (
        "from pathlib import Path\n"
        "from lab.deadline import Deadline\n"
        "from lab.image.contain import contained_here, run_logged, tool_environment\n"
        f"run_logged(contained_here(['sh', '-c', '{mark} & {mark}']),\n"
        f"    Path({str(tmp_path / 'log')!r}), environment=tool_environment(),\n"
        "    deadline=Deadline.after(60, 'a test'))\n"
    )
    root = Path(__file__).parents[2]
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(root)}
    )
    try:
        deadline = time.monotonic() + 10
        while not running(mark) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.3)  # until both sleeps run, not only the shell that names them
        assert running(mark)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert gone(mark)


def test_missing_programs_are_named() -> None:
    require_programs("sh")
    with pytest.raises(LabError) as caught:
        require_programs("sh", "no-such-program", "nor-this")
    assert caught.value.status is Status.MISSING
    assert caught.value.message == "not installed: no-such-program, nor-this"
