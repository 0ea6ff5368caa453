# SPDX-License-Identifier: BSD-2-Clause
"""Machines start and stop, two at once, again and again: nothing collides, nothing stays behind.

``--lab-cycles 300`` (``make soak``) is the long form; the short one is for every day.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.lab import Lab
from lab.machine.budget import holders
from lab.machine.rundir import sweep
from lab.options import option

pytestmark = pytest.mark.lab_boot("seed")

AT_ONCE = 2
CYCLE = """
import os, sys, time
from lab.config import Config
from lab.lab import Lab

lab = Lab(Config.from_environment(), image_name=sys.argv[1], engine_name=sys.argv[2])
for number in range(int(sys.argv[3])):
    begun = time.monotonic()
    with lab.booted(lab.profile("seed")) as booted:
        # All guests have the same keys: only its console tells whether this is our own.
        token = f"cycle {os.getpid()}.{number}"
        booted.guest.run(f"echo {token} >/dev/console", check=True)
        ours = booted.machine.console.wait_for(
            (token.encode(),), 10.0, lambda: booted.machine.alive
        )
        assert ours, booted.machine.console.tail()
    print(f"{time.monotonic() - begun:.2f}", flush=True)
"""
SECONDS_A_CYCLE = 60.0
"""What a cycle may take at most; it needs 3 to 6, emulated, two at once on two processors."""
GONE_WITHIN = 5.0
"""Seconds; the kernel needs milliseconds to pass a death on."""
USES_A_GUEST = "def test_guest(guest):\n    assert guest.run('true').status == 0\n"


@dataclass(frozen=True)
class World:
    """Where machines of a child process may leave traces: nothing else uses these places."""

    runs: Path
    temporary: Path
    slots: Path
    environment: Mapping[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start Python in this world, in a session of its own."""
        return subprocess.Popen(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=self.temporary.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def cycles(self, lab: Lab, count: int) -> subprocess.Popen[str]:
        """Start a process that boots ``count`` machines, one after the other."""
        return self.start("-c", CYCLE, lab.image.name, lab.engine.name, str(count))

    def processes(self) -> dict[int, str]:
        """Command lines of all processes that were started in this world, by pid."""
        mark = os.fsencode(f"DBOS_LAB_RUNS={self.runs}")
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_text().replace("\0", " ")
            except OSError:  # it ended, or is another user's
                continue
        return found

    def emulators(self) -> set[int]:
        """Pids that machines' directories name."""
        return {
            int(pid) for path in self.runs.glob("*/pid") for pid in path.read_text().splitlines()
        }

    def assert_nothing_left(self) -> None:
        """Fail for any process, socket, lock, machine's directory or temporary file."""
        deadline = time.monotonic() + GONE_WITHIN
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.processes() == {}
        sweep(self.runs)
        assert [path.name for path in self.runs.iterdir()] == [".lock"]
        assert list(self.temporary.iterdir()) == []
        assert str(self.runs) not in Path("/proc/net/unix").read_text()
        inode = (self.runs / ".lock").stat().st_ino
        assert f":{inode} " not in Path("/proc/locks").read_text()
        # A lock outlives its holder if a child has inherited it.
        dead = [slot for slot in holders(self.slots) if not Path(f"/proc/{slot.pid}").exists()]
        assert dead == []


@pytest.fixture
def world(lab: Lab, tmp_path: Path) -> World:
    """Another lab's run directories, with everything built that a machine needs."""
    _ = lab.image
    runs, temporary = tmp_path / "runs", tmp_path / "tmp"
    temporary.mkdir()
    environment = {
        **os.environ,
        "DBOS_LAB_CACHE": str(lab.config.cache),
        "DBOS_LAB_RUNS": str(runs),
        "TMPDIR": str(temporary),
        "PYTHONPATH": str(lab.config.source),
    }
    return World(runs, temporary, lab.config.cache / "slots", environment)


def test_cycles_collide_with_nothing_and_leave_nothing(
    lab: Lab, world: World, request: pytest.FixtureRequest
) -> None:
    cycles = int(option(request.config, "cycles"))
    begun = time.monotonic()
    processes = [world.cycles(lab, cycles // AT_ONCE) for _ in range(AT_ONCE)]
    try:
        outputs = [
            process.communicate(timeout=SECONDS_A_CYCLE * cycles)[0] for process in processes
        ]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0] * AT_ONCE, "\n".join(outputs)
    elapsed = time.monotonic() - begun
    seconds = sorted(float(line) for output in outputs for line in output.split())
    assert len(seconds) == cycles // AT_ONCE * AT_ONCE
    assert [path.name for path in world.runs.iterdir()] == [".lock"]  # nothing for sweep to do
    world.assert_nothing_left()
    print(
        f"\n{lab.engine.name}: {len(seconds)} cycles, {AT_ONCE} at once, in {elapsed:.0f} s; "
        f"median {seconds[len(seconds) // 2]:.2f} s, longest {seconds[-1]:.2f} s"
    )


@pytest.mark.parametrize("after", [0.0, 1.0], ids=["starting", "booting"])
def test_killed_pytest_leaves_nothing(lab: Lab, world: World, after: float) -> None:
    test = world.temporary.parent / "test_guest.py"
    test.write_text(USES_A_GUEST)
    options = ["-p", "no:cacheprovider", f"--lab-engine={lab.engine.name}"]
    options += [f"--lab-image={lab.image.name}", f"--basetemp={world.runs.parent / 'base'}"]
    with world.start("-m", "pytest", *options, str(test)) as process:
        try:
            deadline = time.monotonic() + SECONDS_A_CYCLE
            while not (emulators := world.emulators()):
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < deadline, "pytest has not started its machine in time"
                time.sleep(0.01)
            time.sleep(after)
            # Not by its environment: a program that was just started has none for an instant.
            running = {pid for pid in emulators if Path(f"/proc/{pid}/exe").exists()}
            assert running == emulators, "no machine ran when pytest was killed"
        finally:
            os.kill(process.pid, signal.SIGKILL)
    world.assert_nothing_left()
    with world.cycles(lab, 1) as next_one:
        output = next_one.communicate(timeout=SECONDS_A_CYCLE)[0]
    assert next_one.returncode == 0, output
    world.assert_nothing_left()
