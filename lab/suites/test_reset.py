# SPDX-License-Identifier: BSD-2-Clause
"""A restored machine has no memory of what was done to it, and one that has is found out."""

import contextlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.deploy import MODULE, load_module
from lab.errors import LabError
from lab.guest import Guest
from lab.machine.autopsy import GuestHungError
from lab.reset import Clean, Origin
from lab.session.cell import Cell
from lab.session.machines import LabKeeper
from lab.state import State

pytestmark = pytest.mark.lab_boot("seed")

RESTORES = 50

Restore = Callable[[State], Clean]

DIRT = {
    "a file": ("echo dirt >/tmp/dirt; rm /etc/hosts", "ls /tmp /etc"),
    "a system control": ("echo 7777 >/proc/sys/kernel/pid_max", "cat /proc/sys/kernel/pid_max"),
    "a module": ("modprobe kvm", "cut -d' ' -f1-3 /proc/modules"),
    "a process": (
        "sleep 1000 >/dev/null 2>&1 </dev/null &",
        "ps | grep -c '[s]leep 1000'",
    ),
    "a mount": ("mount -t tmpfs dirt /mnt", "cat /proc/mounts"),
    "the kernel log": ("echo dirt >/dev/kmsg", "dmesg | grep -c dirt"),
    "the network": ("ifconfig lo down", "ifconfig lo"),
    "the disk": (
        "dd if=/dev/urandom of=/dev/vda bs=64k seek=1 count=100 conv=fsync 2>/dev/null",
        "dd if=/dev/vda bs=64k skip=1 2>/dev/null | md5sum",
    ),
}
"""What a test may do to a guest: the command that does it, and one whose output tells."""

FILL_MEMORY = "dd if=/dev/urandom of=/dev/shm/dirt bs=1M count=300 2>/dev/null"

HANG = "rmmod pvpanic-pci; echo 0 >/proc/sys/kernel/panic; echo c >/proc/sysrq-trigger"
"""A panic that nobody is told of and that does not end: all processors stop where they are."""


@pytest.fixture
def given(lab_keeper: LabKeeper, lab_cell: Cell) -> Restore:
    """Ask for the clean machine of this cell."""
    return lambda state: lab_keeper.given(lab_cell, state)


@pytest.fixture
def restore(given: Restore) -> Restore:
    """The same; what it was given for is checked."""

    def clean(state: State) -> Clean:
        found = given(state)
        assert found.replaced == ""
        return found

    given(State.GUEST)  # there is a machine now
    return clean


@pytest.mark.parametrize("what", DIRT)
def test_nothing_is_left_of(restore: Restore, what: str) -> None:
    dirty, look = DIRT[what]
    guest = restore(State.GUEST).booted.guest
    before = guest.run(look).text
    guest.run(dirty, check=True)
    assert guest.run(look).text != before
    given = restore(State.GUEST)
    assert given.origin is Origin.RESTORED
    assert given.booted.guest.run(look).text == before


def test_memory_that_was_filled_is_free_again(restore: Restore) -> None:
    guest = restore(State.GUEST).booted.guest
    before = free_kib(guest)
    guest.run(FILL_MEMORY, check=True)
    assert free_kib(guest) < before - 250_000
    assert abs(free_kib(restore(State.GUEST).booted.guest) - before) < 10_000


def test_the_clock_is_right_and_goes_on(restore: Restore) -> None:
    guest = restore(State.GUEST).booted.guest
    guest.run("date -s @86400", check=True)
    guest = restore(State.GUEST).booted.guest
    first = clock(guest)
    assert abs(first - time.time()) < 1
    time.sleep(1.1)
    assert clock(guest) - first > 1
    assert abs(clock(guest) - time.time()) < 1


def test_random_numbers_differ(restore: Restore) -> None:
    look = "head -c 16 /dev/urandom | md5sum; cat /proc/sys/kernel/random/uuid"
    drawn = [restore(State.GUEST).booted.guest.run(look, check=True).text for _ in range(3)]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.lab_boot("stock")
def test_the_kernel_lies_where_it_lay(given: Restore) -> None:
    def address(found: Clean) -> str:
        return found.booted.guest.run("grep ' _text$' /proc/kallsyms", check=True).text

    before = address(given(State.GUEST))
    again = given(State.GUEST)
    assert again.origin is Origin.RESTORED
    assert address(again) == before


def test_each_state_is_itself(restore: Restore) -> None:
    look = "ls /lab | wc -l; grep -c '^dune ' /proc/modules"
    seen = {
        state: restore(state).booted.guest.run(look).text.split()
        for state in (State.BOOTED, State.GUEST, State.MODULE_LOADED, State.GUEST, State.BOOTED)
    }
    assert seen[State.BOOTED] == ["1", "0"]  # the agent
    assert int(seen[State.GUEST][0]) > 5
    assert seen[State.GUEST][1] == "0"
    assert seen[State.MODULE_LOADED] == [seen[State.GUEST][0], "1"]


def test_the_module_works_after_a_restore(restore: Restore) -> None:
    for _ in range(3):
        guest = restore(State.MODULE_LOADED).booted.guest
        assert "hello: ok" in guest.run("/lab/hello", check=True).text
    guest = restore(State.GUEST).booted.guest
    load_module(guest, MODULE)
    guest.run("/lab/hello", check=True)


def test_many_restores_in_a_row(restore: Restore) -> None:
    machine = restore(State.GUEST).booted.machine
    for number in range(RESTORES):
        given = restore(State.GUEST)
        assert given.origin is Origin.RESTORED
        assert given.booted.machine is machine
        guest = given.booted.guest
        assert guest.run(f"ls /tmp; echo {number} >/tmp/{number}", check=True).stdout == b""


def test_files_travel_after_a_restore(restore: Restore, tmp_path: Path) -> None:
    here = tmp_path / "file"
    for content in ("one", "two"):
        here.write_text(content)
        guest = restore(State.GUEST).booted.guest
        guest.put(here, "/tmp/file")
        guest.get("/tmp/file", tmp_path / "back")
        assert (tmp_path / "back").read_text() == content


def test_the_console_of_a_test_begins_at_its_offset(restore: Restore) -> None:
    restore(State.GUEST).booted.guest.run("echo before >/dev/console", check=True)
    given = restore(State.GUEST)
    given.booted.guest.run("echo after >/dev/console", check=True)
    console = given.booted.machine.console.path.read_bytes()
    assert b"before" in console[: given.console_offset]
    assert console[given.console_offset :].split() == [b"after"]


def test_a_busy_guest_is_restored(restore: Restore) -> None:
    given = restore(State.MODULE_LOADED)
    commands = (
        "while :; do /lab/hello; done",
        "while :; do dd if=/dev/urandom of=/dev/vda bs=64k count=200; done",
        "while :; do echo busy; done",
    )
    for command in commands:
        started = given.booted.guest.start(f"{command} 2>&1")
        threading.Thread(target=drain, args=(started.wait,), daemon=True).start()
    time.sleep(2)
    again = restore(State.MODULE_LOADED)
    assert again.origin is Origin.RESTORED
    guest = again.booted.guest
    assert guest.run("ps | grep -c '[w]hile'").text.strip() == "0"
    assert "hello: ok" in guest.run("/lab/hello", check=True).text


def test_a_hung_guest_is_replaced(given: Restore) -> None:
    hung = given(State.GUEST).booted
    with pytest.raises(GuestHungError):
        hung.guest.run(HANG, timeout=5)
    again = given(State.GUEST)
    assert (again.origin, again.replaced) == (Origin.REVIVED, "it had ended")
    assert again.booted.machine is not hung.machine
    assert again.booted.guest.run("true").status == 0


def test_a_machine_that_panicked_is_replaced(given: Restore) -> None:
    with pytest.raises(LabError):
        given(State.GUEST).booted.guest.run("echo c >/proc/sysrq-trigger", timeout=20)
    again = given(State.GUEST)
    assert (again.origin, again.replaced) == (Origin.REVIVED, "it had ended")
    assert again.booted.guest.run("true").status == 0


SKIPPED = {
    "all of it": (("_ram", "_disk", "_run_job"), "memory was not restored since its last use"),
    "the memory": (("_ram",), "QEMU could not do snapshot-load"),
    "the disk": (("_disk",), "the disk was not restored since its last use"),
}
"""What of a restore does not happen, and how that is found out.

The rings in a memory that was left as it is contradict what the devices were put back to.
"""


@pytest.mark.parametrize("what", SKIPPED)
def test_a_restore_is_found_out_that_skips(
    given: Restore, restore: Restore, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, said = SKIPPED[what]
    machine = restore(State.GUEST).booted.machine
    assert restore(State.GUEST).origin is Origin.RESTORED
    for part in parts:
        owner, action = (
            (machine.snapshots, part)
            if part == "_run_job"
            else (getattr(machine.snapshots, part), "put_back")
        )
        monkeypatch.setattr(owner, action, lambda *_arguments: None)
    other = given(State.GUEST)
    assert said in other.replaced
    assert other.origin is Origin.BOOTED
    assert other.booted.machine is not machine
    assert given(State.GUEST).origin is Origin.RESTORED


def drain(wait: Callable[[float], object]) -> None:
    """Read a command's output until it is cut off."""
    with contextlib.suppress(LabError):
        wait(60)


def free_kib(guest: Guest) -> int:
    """Return the guest's free memory, KiB."""
    text = guest.run("grep MemFree /proc/meminfo", check=True).text
    return int(text.split()[1])


def clock(guest: Guest) -> float:
    """Return the guest's time of day, seconds since 1970; the command itself takes a moment."""
    text = guest.run("adjtimex", check=True).text
    seconds, microseconds = re.findall(r"time\.tv_u?sec: +(\d+)", text)
    return int(seconds) + int(microseconds) / 1e6
