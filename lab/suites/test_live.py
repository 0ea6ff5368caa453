# SPDX-License-Identifier: BSD-2-Clause
"""A machine that one process keeps up, looked at and ended by others."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.lab import Lab

pytestmark = pytest.mark.lab_boot("seed")

UP_WITHIN = 120.0
"""Seconds. Emulated, on a busy host: 5 to 15."""
LAB = (sys.executable, "-c", "from lab.cli import main; main()")


@dataclass(frozen=True)
class Kept:
    """A machine somebody else keeps up, alone in its runs directory."""

    owner: subprocess.Popen[str]
    runs: Path
    said: list[str]

    @property
    def directory(self) -> Path:
        """The machine's."""
        [directory] = self.runs.glob("2*")
        return directory

    def lab(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``dbos-lab`` as another process of the same user."""
        return subprocess.run(
            [*LAB, *arguments],
            env=environment(self.runs),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@contextmanager
def kept_up(lab: Lab) -> Iterator[Kept]:
    """Keep a machine up in a process of its own, with the module loaded."""
    # Short: gdb reaches the machine by a socket's path.
    with tempfile.TemporaryDirectory(prefix="live-") as runs:
        owner = subprocess.Popen(
            [*LAB, "up", "--load", "--engine", lab.engine.name, "--image", lab.image_spec.name],
            env=environment(Path(runs)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        kept = Kept(owner, Path(runs), [])
        try:
            with impatience(owner.kill):
                assert owner.stdout is not None
                for line in owner.stdout:
                    kept.said.append(line)
                    if "is up" in line:
                        break
            assert owner.poll() is None, "".join(kept.said)
            yield kept
        finally:
            owner.kill()
            owner.communicate()


@contextmanager
def impatience(act: Callable[[], None]) -> Iterator[None]:
    """Act if the block takes too long."""
    timer = threading.Timer(UP_WITHIN, act)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def environment(runs: Path) -> dict[str, str]:
    """Return ours, with another directory for machines."""
    return {**os.environ, "DBOS_LAB_RUNS": str(runs)}


@pytest.fixture(scope="module")
def kept(lab: Lab) -> Iterator[Kept]:
    """Lend one that stays up."""
    with kept_up(lab) as machine:
        yield machine


def test_ps_tells_what_it_is_and_whose(lab: Lab, kept: Kept) -> None:
    _, row = kept.lab("ps").stdout.splitlines()
    assert row.startswith(kept.directory.name[-8:])
    for word in ("running", lab.engine.name, "seed", "of 1024 MiB", "dbos-lab up"):
        assert word in row


def test_ssh_runs_a_command_with_or_without_the_id(lab: Lab, kept: Kept) -> None:
    told = kept.lab("ssh", kept.directory.name[-8:][:3], "uname", "-r")
    assert told.stdout.strip() == lab.image.kernel_release
    assert kept.lab("ssh", "exit 7").returncode == 7


def test_the_console_is_readable(kept: Kept) -> None:
    assert "dbos-lab: ready" in kept.lab("console", "--no-follow").stdout


def test_gdb_knows_the_module_where_it_is_and_lets_the_guest_go_on(kept: Kept) -> None:
    asked = ("-batch", "-ex", "info line dune_open", "-ex", "info registers rip")
    said = kept.lab("gdb", *asked).stdout
    [address] = re.findall(r"kern/core.c\" starts at address (0x[0-9a-f]+) <dune_open>", said)
    known = kept.lab("ssh", "grep ' dune_open' /proc/kallsyms").stdout  # the guest goes on
    assert int(known.split()[0], 16) == int(address, 16)
    assert re.search(r"^rip +0x[0-9a-f]+", said, re.M)
    assert not (kept.directory / "gdb.sock").exists()


def test_an_id_that_does_not_exist_is_a_usage_error(kept: Kept) -> None:
    told = kept.lab("down", "-")
    assert told.returncode == 2
    assert kept.directory.name[-8:] in told.stderr


def test_a_panicked_machine_can_be_looked_at_until_down_ends_it(lab: Lab) -> None:
    with kept_up(lab) as kept:
        with pytest.raises(subprocess.TimeoutExpired):  # ssh waits for a guest that is no more
            subprocess.run(
                [*LAB, "ssh", "echo c >/proc/sysrq-trigger"],
                env=environment(kept.runs),
                timeout=5,
                check=False,
            )
        assert "panicked" in kept.lab("ps").stdout
        assert re.search(
            r"^rip +0xf", kept.lab("gdb", "-batch", "-ex", "info registers rip").stdout, re.M
        )
        down = kept.lab("down")
        assert down.stdout == f"{kept.directory.name[-8:]} has ended\n"
        rest, _ = kept.owner.communicate(timeout=30)
        assert kept.owner.returncode == 0
        assert "sysrq_handle_crash+0x" in rest
        assert (kept.directory / "vmcore").exists()
        assert kept.lab("ps").stdout == "No machine is running.\n"
        again = kept.lab("crash")
        assert "sysrq_handle_crash+0x" in again.stdout
        assert str(kept.directory) in again.stdout
