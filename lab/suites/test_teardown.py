# SPDX-License-Identifier: BSD-2-Clause
"""Whatever ends the lab, no machine outlives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.lab import Lab

pytestmark = pytest.mark.lab_boot("seed")

HOLD_A_MACHINE = """
import signal, sys, time
from lab.config import Config
from lab.lab import Lab

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background shell ignores it
lab = Lab(Config.from_environment(), image_name=sys.argv[1], engine_name=sys.argv[2])
with lab.booted(lab.profile("seed")) as booted:
    print(booted.machine.pid, flush=True)
    time.sleep(600)
"""

GONE_WITHIN = 5.0
"""Seconds; the kernel needs milliseconds to pass a death on."""


@dataclass(frozen=True)
class Holder:
    """A process that holds a booted machine, and that machine's QEMU."""

    process: subprocess.Popen[str]
    qemu: int
    runs: Path


@pytest.fixture
def holder(lab: Lab, tmp_path: Path) -> Iterator[Holder]:
    """Another lab, in a process of its own, with a machine up and running."""
    lab.image  # noqa: B018 (built here, so that the other process finds it)
    environment = {
        **os.environ,
        "DBOS_LAB_CACHE": str(lab.config.cache),
        "DBOS_LAB_RUNS": str(tmp_path),
    }
    command = [sys.executable, "-c", HOLD_A_MACHINE, lab.image.name, lab.engine.name]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        yield Holder(process, int(process.stdout.readline()), tmp_path)
        process.kill()


def ended(pid: int) -> bool:
    """Wait for a process that is not our child to end."""
    deadline = time.monotonic() + GONE_WITHIN
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("name", ["SIGKILL", "SIGINT", "SIGTERM"])
def test_qemu_dies_with_its_lab(holder: Holder, name: str) -> None:
    os.kill(holder.process.pid, signal.Signals[name])
    assert ended(holder.qemu)


def test_ctrl_c_leaves_no_directory(holder: Holder) -> None:
    assert list(holder.runs.iterdir()) != []
    os.kill(holder.process.pid, signal.SIGINT)
    holder.process.wait(10)
    assert [entry for entry in holder.runs.iterdir() if entry.is_dir()] == []
