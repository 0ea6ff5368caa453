# SPDX-License-Identifier: BSD-2-Clause
"""Whatever a command or its guest does, the lab gets an answer in time, and leaves nothing running.

Each test that breaks its guest has a machine of its own.
"""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import cast

import pytest

from lab.command import CommandTimeoutError
from lab.deadline import Limits
from lab.errors import LabError, Status
from lab.guest import Guest
from lab.lab import Booted, Lab
from lab.machine.autopsy import GuestHungError
from lab.machine.machine import Machine
from lab.zoo.enclosure import bring

pytestmark = pytest.mark.lab_boot("seed")

MIB = 1 << 20
SLACK = 1.1
"""No wait exceeds the sum of its declared deadlines by more than a tenth."""

OVERSTAYERS = {
    "plain": "sleep 1000",
    "ignores SIGTERM": "trap '' TERM HUP INT; sleep 1000; sleep 1000",
    "forks": "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait",
    "makes sessions": "setsid setsid sleep 1000 & setsid sh -c 'sleep 1000; true' & sleep 1000",
    "daemonises": "(setsid sh -c 'sleep 1000 & sleep 1000 &' </dev/null >/dev/null 2>&1 &); "
    "sleep 1000",
    "forks on": "grow() { sleep 0.05; grow & sleep 1000; }; grow",
    "closed its output": "exec >&- 2>&-; setsid sleep 1000 & sleep 1000",
}

HANGS: dict[str, Callable[[Guest], object]] = {
    "paused": lambda guest: guest.machine.qmp.execute("stop"),
    "all processors halted": lambda guest: guest.start("echo halt_all >/dev/zoo"),
}
"""How to hang a guest that has the zoo, by name."""


@pytest.fixture
def victim(lab: Lab) -> Iterator[Booted]:
    """A machine for one test, with a short limit of silence."""
    with lab.booted(lab.profile("seed"), limits=replace(lab.limits, silence=6.0)) as booted:
        yield booted


def processes(guest: Guest) -> str:
    """List what a command could have left behind. The dead that init has yet to bury are not."""
    return guest.run("ps -o stat,args | grep -v '^Z' | grep '[s]leep'").text


def test_10_mib_on_both_streams_at_once(guest: Guest) -> None:
    begun = time.monotonic()
    done = guest.run(f"head -c {10 * MIB} /dev/zero >&2 & head -c {10 * MIB} /dev/zero; wait")
    took = time.monotonic() - begun
    print(f"2 x 10 MiB in {took:.1f} s")
    assert (len(done.stdout), len(done.stderr)) == (10 * MIB, 10 * MIB)
    assert took <= guest.machine.limits.command * SLACK


@pytest.mark.parametrize("command", OVERSTAYERS.values(), ids=OVERSTAYERS)
def test_nothing_of_a_command_outlives_its_timeout(guest: Guest, command: str) -> None:
    assert processes(guest) == ""
    begun = time.monotonic()
    with pytest.raises(CommandTimeoutError) as caught:
        guest.run(command, timeout=2.0)
    took = time.monotonic() - begun
    print(f"given up and killed after {took:.2f} s")
    assert "it was killed" in caught.value.message
    assert took <= (2.0 + guest.machine.limits.teardown) * SLACK
    assert processes(guest) == ""


def test_a_timeout_kills_nobody_else(guest: Guest) -> None:
    guest.run("sleep 1111 >/dev/null 2>&1 &", check=True)
    with pytest.raises(CommandTimeoutError):
        guest.run("sleep 1000", timeout=0.5)
    assert processes(guest).split()[-2:] == ["sleep", "1111"]
    guest.run("kill $(pidof sleep)", check=True)


def test_a_command_leaves_no_group(guest: Guest) -> None:
    before = guest.run("ls /sys/fs/cgroup/lab").text
    guest.run("true", check=True)
    with pytest.raises(CommandTimeoutError):
        guest.run("sleep 1000", timeout=0.5)
    groups = set(guest.run("ls /sys/fs/cgroup/lab").text.split()) - set(before.split())
    own = guest.run("ls -d /sys/fs/cgroup/lab/*/; cat /proc/self/cgroup").text
    assert len(groups) == 1  # that of the command that lists them
    assert "0::/lab/" in own  # so they are used at all


def test_the_death_of_the_machine_is_known_within_a_second(victim: Booted) -> None:
    threading.Timer(1.0, os.kill, (victim.machine.pid, signal.SIGKILL)).start()
    begun = time.monotonic()
    with pytest.raises(LabError) as caught:
        victim.guest.run("sleep 1000", timeout=30)
    assert time.monotonic() - begun < 2.0
    assert caught.value.status is Status.LOST
    assert "QEMU was killed by SIGKILL" in caught.value.message


@pytest.mark.parametrize("hang", HANGS.values(), ids=HANGS)
def test_a_hang_is_found_and_its_evidence_kept(
    lab: Lab, victim: Booted, hang: Callable[[Guest], object]
) -> None:
    guest, machine = victim.guest, victim.machine
    bring(lab, guest)
    processors = len(cast(list[object], machine.qmp.execute("query-cpus-fast")))
    hanging = threading.Timer(1.0, hang, (guest,))
    hanging.start()
    begun = time.monotonic()
    with pytest.raises(GuestHungError) as caught:
        guest.run("sleep 1000", timeout=500)
    took = time.monotonic() - begun - 1.0
    print(f"found hung after {took:.1f} s; the limit of silence is {machine.limits.silence:g} s")
    assert took <= machine.limits.silence + 5.0
    assert [len(look) for look in caught.value.findings.looks] == [processors] * 4
    assert (machine.directory / "registers").read_text().count("CPU#0") == 4
    assert (machine.directory / "hang.json").exists()
    assert_over(machine, guest)


def assert_over(machine: Machine, guest: Guest) -> None:
    """Whoever asks a hung machine again is told at once, and it ends at once."""
    begun = time.monotonic()
    assert not machine.alive
    with pytest.raises(GuestHungError):
        guest.run("true")
    machine.stop()
    assert time.monotonic() - begun < machine.limits.teardown * SLACK


def test_a_guest_that_hangs_between_commands_is_found_by_the_next(lab: Lab) -> None:
    limits = replace(lab.limits, connect=4.0)
    with lab.booted(lab.profile("seed"), limits=limits) as victim:
        victim.machine.qmp.execute("stop")
        begun = time.monotonic()
        with pytest.raises(GuestHungError, match=r"did not answer within 4 s"):
            victim.guest.run("true", timeout=500)
        assert time.monotonic() - begun <= (limits.connect + limits.teardown) * SLACK


def test_a_busy_guest_is_not_taken_for_hung(victim: Booted) -> None:
    assert victim.machine.limits.silence < 10
    busy = "for i in $(seq 64); do (while :; do :; done) & done; sleep 15; echo done; kill 0"
    assert victim.guest.run(busy, timeout=victim.machine.limits.command).text == "done\n"


def test_a_boot_that_does_not_end_is_ended(lab: Lab) -> None:
    limits: Limits = replace(lab.limits, boot=0.3)
    begun = time.monotonic()
    with (
        pytest.raises(GuestHungError, match=r"did not come up within 0\.3 s for the boot"),
        lab.booted(lab.profile("seed"), limits=limits),
    ):
        pass
    assert time.monotonic() - begun <= (limits.connect + limits.boot + 2 * limits.teardown) * SLACK
