# SPDX-License-Identifier: BSD-2-Clause
"""What the module does can be seen: tracepoints from the host, counters in the guest's debugfs."""

import re
import subprocess
import sys
from dataclasses import dataclass

import pytest

from lab.guest import Guest
from lab.lab import Booted
from lab.live.trace import EVENTS
from lab.run import parse_hello

pytestmark = pytest.mark.lab_requires("svm")  # exit codes are its own

LAB = (sys.executable, "-c", "from lab.cli import main; main()")
SVM_IO = 0x7B
SVM_NPF = 0x400
PORT_SYSCALL = 0xD0
PORT_LEAVE = 0xD1

DEBUGFS = "[ -e /sys/kernel/debug/dune ] || mount -t debugfs debugfs /sys/kernel/debug"
WHILE_IT_SPINS = f"""
{DEBUGFS}
/lab/spin 1 >/tmp/said &
until grep -q spinning /tmp/said; do usleep 10000; done
cat /sys/kernel/debug/dune/*/statistics
kill -KILL $!
wait $! 2>/dev/null
echo "left: $(ls /sys/kernel/debug/dune)"
"""


def lab(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``dbos-lab`` as another process of the same user."""
    return subprocess.run(
        [*LAB, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True)
class Event:
    """One line of a trace."""

    name: str
    text: str

    def number(self, field: str) -> int:
        """Return the number behind a word."""
        found = re.search(rf"\b{field} (\S+)", self.text)
        assert found, self.text
        return int(found[1], 0)

    def is_out_to(self, port: int) -> bool:
        """Tell whether this is an exit for an access to that port."""
        return (
            self.name == "exit"
            and self.number("code") == SVM_IO
            and self.number("info1") >> 16 == port
        )


def events_in(trace: str) -> list[Event]:
    """Read a trace; a line that is no event of ours is a failure."""
    lines = [re.search(r": dune_(\w+): (.*)$", line) for line in trace.splitlines()]
    assert None not in lines, trace
    return [Event(line[1], line[2]) for line in lines if line]


def traced(booted: Booted, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Trace in that machine."""
    done = lab("trace", booted.machine.directory.name, *arguments)
    assert booted.guest.run("ls /sys/kernel/tracing/instances", check=True).text == ""
    return done


def test_hellos_system_calls_are_exits_and_the_counts_agree(
    module_loaded: Guest, booted: Booted
) -> None:
    told = traced(booted, "--", "/lab/hello")
    assert told.returncode == 0, told.stderr
    hello = parse_hello(told.stderr)
    events = events_in(told.stdout)
    assert sum(event.is_out_to(PORT_SYSCALL) for event in events) == hello.syscalls
    assert sum(event.is_out_to(PORT_LEAVE) for event in events) == 1
    assert sum(event.name == "entry" for event in events) == (
        sum(event.name == "exit" for event in events)
    )

    # hello reads its run page's counter inside, between the last two exits it makes on purpose.
    exits = [event for event in events if event.name == "exit"]
    before = exits[: hello.world_switches]
    after = exits[hello.world_switches :]
    assert sum(event.is_out_to(PORT_SYSCALL) for event in before) == hello.syscalls
    assert [event for event in after if event.number("code") == SVM_IO] == after[-1:]
    assert after[-1].is_out_to(PORT_LEAVE)

    # Every fault comes from an exit; hello makes its own memory inaccessible once.
    faults = [event for event in events if event.name == "fault"]
    assert len(faults) == sum(event.number("code") == SVM_NPF for event in exits) > 0
    assert {event.number("result") for event in faults} <= {0, -14}
    assert any(event.name == "notifier" for event in events)


def test_only_the_events_asked_for_are_there(module_loaded: Guest, booted: Booted) -> None:
    told = traced(booted, "--events", "inject,fault", "--", "/lab/hello; exit 7")
    assert told.returncode == 7
    assert {event.name for event in events_in(told.stdout)} <= {"inject", "fault"}


def test_without_a_command_it_listens_for_a_while(module_loaded: Guest, booted: Booted) -> None:
    spinning = module_loaded.start("exec /lab/spin 1")
    told = traced(booted, "--seconds", "1.5")
    module_loaded.run("killall -KILL spin", check=True)
    spinning.wait()
    names = {event.name for event in events_in(told.stdout)}
    assert {"entry", "exit"} <= names <= set(EVENTS)


def test_without_the_module_it_says_so(guest: Guest, booted: Booted) -> None:
    told = traced(booted, "--", "true")
    assert told.returncode == 1
    assert "is the module loaded?" in told.stderr


def test_each_vm_has_its_counters_for_as_long_as_it_lives(module_loaded: Guest) -> None:
    told = module_loaded.run(WHILE_IT_SPINS, check=True).text
    counters = dict(re.findall(r"^(\w+) (\d+)$", told, re.M))
    exits = {
        int(code, 0): int(count) for code, count in re.findall(r"^exit (\S+) (\d+)", told, re.M)
    }
    assert set(counters) == {
        "faults",
        "notifier_calls",
        "shootdowns",
        "flushes_behind",
        "injections",
        "exits",
    }
    assert counters["flushes_behind"] == "0", "KVM is not there"
    assert int(counters["exits"]) == sum(exits.values())
    assert exits[SVM_NPF] == int(counters["faults"]) > 0
    assert re.search(r"^exit 0x60 \d+ interrupt$", told, re.M)
    assert told.splitlines()[-1] == "left: "


def test_the_counters_are_roots(module_loaded: Guest) -> None:
    mode = module_loaded.run(
        f"{DEBUGFS}; exec 3<>/dev/dune; stat -c %a /sys/kernel/debug/dune/*/statistics", check=True
    ).text
    assert mode == "400\n"
