# SPDX-License-Identifier: BSD-2-Clause
"""Something happens to the host while guests run on it: NMIs, a CPU that goes and comes, a suspend.

``lifecycle hold`` has three guests that add up numbers, one of them bound to the last CPU; a wrong
sum ends it. After every event each of them must have gone on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lab.guest import Guest

pytestmark = pytest.mark.lab_boot("seed")

TIMES = 5
STATISTICS = "/sys/kernel/debug/dune/*/statistics"
NMI_EXIT = r"^exit 0x61 (\d+) "
"""SVM's. VT-x has one code for NMIs and exceptions, so there the count would say nothing."""

# The kernel busy-waits at that level, five times longer than this if not told otherwise: enough for
# its own watchdog where a processor is emulated.
SUSPEND = """
echo 1 >/sys/module/suspend/parameters/pm_test_delay
echo {level} >/sys/power/pm_test && echo {state} >/sys/power/state
"""
HOLD = """
/lab/lifecycle hold {cpu} >/tmp/hold 2>&1 & echo $! >/tmp/pid
until grep -q holding /tmp/hold; do kill -0 $! || exit 1; sleep 0.05; done
"""
GO_ON = """
before=$(grep -c '^on$' /tmp/hold)
kill -USR1 $(cat /tmp/pid)
until [ $(grep -c '^on$' /tmp/hold) -gt $before ]; do
	kill -0 $(cat /tmp/pid) || { cat /tmp/hold; exit 1; }
	sleep 0.05
done
"""
END = """
kill $(cat /tmp/pid); until ! kill -0 $(cat /tmp/pid) 2>/dev/null; do sleep 0.05; done
grep '^hold: ok' /tmp/hold || { cat /tmp/hold; exit 1; }
"""


class Holding:
    """The guests that run, and a look at whether they still do."""

    def __init__(self, guest: Guest, cpu: int) -> None:
        self.guest = guest
        self.cpu = cpu

    def event(self, command: str, timeout: float | None = None) -> str:
        """Let something happen, and the guests go on."""
        text = self.guest.run(command, timeout=timeout, check=True).text
        self.guest.run(GO_ON, check=True)
        return text


@pytest.fixture
def holding(module_loaded: Guest) -> Iterator[Holding]:
    """Guests on a machine; afterwards, that they have computed well and others will."""
    online = module_loaded.run("cat /sys/devices/system/cpu/online", check=True).text
    cpu = int(re.split(r"[-,\n]", online.strip())[-1])
    module_loaded.run("mount -t debugfs debugfs /sys/kernel/debug", check=True)
    module_loaded.run(HOLD.format(cpu=cpu), check=True)
    yield Holding(module_loaded, cpu)
    print(module_loaded.run(END, check=True).text)
    module_loaded.run("/lab/hello", check=True)


def nmi_exits(guest: Guest) -> int:
    text = guest.run(f"cat {STATISTICS}", check=True).text
    return sum(map(int, re.findall(NMI_EXIT, text, re.M)))


@pytest.mark.lab_requires("svm")
def test_nmis_in_guest_mode(holding: Holding) -> None:
    before = nmi_exits(holding.guest)
    for _ in range(4 * TIMES):
        holding.event("echo l >/proc/sysrq-trigger")
    taken = nmi_exits(holding.guest) - before
    print(f"{taken} NMIs came while a guest ran")
    assert taken > 0


def test_a_cpu_goes_and_comes(holding: Holding) -> None:
    online = f"/sys/devices/system/cpu/cpu{holding.cpu}/online"
    for _ in range(TIMES):
        holding.event(f"echo 0 >{online}", timeout=60.0)
        holding.event(f"echo 1 >{online}", timeout=60.0)
        # One that is bound to it, and so enters there: SVM or VMX operation is on again.
        holding.guest.run(f"taskset -c {holding.cpu} /lab/lifecycle cycles 2", check=True)


# The last CPU to be up passes no hot-plug state: only "core" gets there.
@pytest.mark.parametrize(
    ("state", "level"), [("freeze", "devices"), ("mem", "processors"), ("mem", "core")]
)
def test_a_suspend(holding: Holding, state: str, level: str) -> None:
    guest = holding.guest
    states = guest.run("cat /sys/power/state", check=True).text.split()
    levels = guest.run("cat /sys/power/pm_test 2>/dev/null || true").text
    if state not in states or level not in re.findall(r"\w+", levels):
        pytest.skip(f"this kernel knows {' '.join(states)}, and to test {levels.strip() or 'none'}")
    holding.event(SUSPEND.format(state=state, level=level), timeout=120.0)
    assert guest.run("cat /sys/power/suspend_stats/success", check=True).text == "1\n"
