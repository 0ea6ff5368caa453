# SPDX-License-Identifier: BSD-2-Clause
"""Virtual machines come and go, often, at once, at the wrong moment; nothing of them stays behind.

``tests/guest/lifecycle`` does it and checks what its guests compute. Here is looked at what it
left: memory, slabs, the module's counters and its use count. ``--lab-creations 10000
--lab-processes 64`` (``make soak-hv``) is the long form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import pytest

from lab.deploy import MODULE, load_module, unload_module
from lab.guest import Guest
from lab.options import number

pytestmark = pytest.mark.lab_boot("seed")

WARM_UP = 60
"""Creations until what the kernel keeps for the next time has been allocated."""
SECONDS_A_CREATION = 0.5
"""At most. Emulated, on a busy host, it is a tenth of that."""
STRETCHES = 2
PAGES, PERCPU, RANGES = "pages that are not free", "pages per CPU", "ranges of vmalloc"
KIB_A_PAGE = 4
LOOKS = 3
"""For one account."""
ROUNDS = 16
KILLS = 40
PHASES = ("creating", "running", "changing", "destroying")

# Objects wait for an RCU grace period until they are free; then SLUB keeps them with each
# processor, and counts all of a processor's slab as in use, until told to give them back: 512
# objects of 8 bytes. Any process that is begun behind that takes a slab again, so the shell itself
# reads what there is.
SLABS = """
sleep 1; sync; echo 3 >/proc/sys/vm/drop_caches
for cache in /sys/kernel/slab/*/shrink; do echo 1 >$cache; done 2>/dev/null
while read -r name objects rest; do echo "$name $objects"; done </proc/slabinfo
"""


def in_use(guest: Guest) -> Counter[str]:
    """Return what of the kernel's memory is in use, the least of some looks: a leak is in all."""
    looks = [look(guest) for _ in range(LOOKS)]
    return Counter({name: min(seen[name] for seen in looks) for name in looks[0]})


def look(guest: Guest) -> Counter[str]:
    """Count objects of each slab, and pages.

    A leaked page is in no statistic, so there is also the memory in nobody's hands, negative.
    """
    slabs = guest.run(SLABS, check=True).text
    zones = guest.run("cat /proc/zoneinfo", check=True).text
    free = re.findall(r"^ +(?:nr_free_pages|count:) +(\d+)$", zones, re.M)
    counts = {name: int(objects) for name, objects in re.findall(r"^(\S+) (\d+)$", slabs, re.M)}
    # The kernel frees a range's addresses lazily, and what describes it is in use until then; its
    # own list says which ranges are only waiting for that.
    del counts["vmap_area"]
    ranges = guest.run("grep -vc 'unpurged vm_area' /proc/vmallocinfo", check=True).text
    percpu = guest.run("grep Percpu: /proc/meminfo", check=True).text
    return Counter(
        {
            **counts,
            PAGES: -sum(map(int, free)),
            PERCPU: int(percpu.split()[1]) // KIB_A_PAGE,
            RANGES: int(ranges),
        }
    )


def assert_flat(accounts: Sequence[Counter[str]], machines: int) -> None:
    """Fail for a page or an object that every second machine, or more, has left behind.

    ``machines`` were made between one account and the next. What a leak adds, it adds each time;
    what the rest of the system takes meanwhile (this very look is a login), it takes at some time.
    """
    stretches = list(pairwise(accounts))
    grown = {
        name: min(after[name] - before[name] for before, after in stretches) for name in accounts[0]
    }
    most = ", ".join(f"{name} {more}" for name, more in sorted(grown.items()) if more > 0)
    print(f"\n{machines} machines, {len(stretches)} times; each time at least: {most or 'nothing'}")
    assert [name for name, more in grown.items() if more >= machines / 2] == []


def assert_unused(guest: Guest) -> None:
    """Fail if a machine is left, for the module or for its counters; then it can be unloaded."""
    assert guest.run("cat /sys/module/dune/refcnt", check=True).text == "0\n"
    guest.run("mount -t debugfs debugfs /sys/kernel/debug || true")
    assert guest.run("ls /sys/kernel/debug/dune", check=True).text == ""
    unload_module(guest, MODULE)


def lifecycle(guest: Guest, arguments: str, timeout: float | None = None) -> str:
    """Run the program; return what it said."""
    command = arguments.partition(" ")[0]
    said = guest.run(f"/lab/lifecycle {arguments}", timeout=timeout, check=True).text
    assert re.search(rf"^{command}: ok", said, re.M), said
    print(f"\n{said.rstrip()}")
    return said


def test_creations_leave_nothing(module_loaded: Guest, request: pytest.FixtureRequest) -> None:
    count = number(request.config, "creations", WARM_UP)
    lifecycle(module_loaded, f"cycles {WARM_UP}")
    accounts = [in_use(module_loaded)]
    for _ in range(STRETCHES):
        timeout = 60.0 + SECONDS_A_CREATION * count
        lifecycle(module_loaded, f"cycles {count // STRETCHES}", timeout)
        accounts.append(in_use(module_loaded))
    assert_flat(accounts, count // STRETCHES)
    assert_unused(module_loaded)


def test_a_crowd_keeps_to_itself(module_loaded: Guest, request: pytest.FixtureRequest) -> None:
    count = number(request.config, "processes", 1)
    lifecycle(module_loaded, f"crowd {count} {ROUNDS}", timeout=60.0 + 4.0 * count)
    assert_unused(module_loaded)


def test_requests_race(module_loaded: Guest, seed: int) -> None:
    said = lifecycle(module_loaded, f"race {seed} 4")
    served = dict(re.findall(r"^([a-z-]+): (\d+) served", said, re.M))
    assert [name for name, times in served.items() if int(times) == 0] == []
    assert len(served) == 10
    refused = dict(re.findall(r"^([a-z-]+): \d+ served, (\d+) refused", said, re.M))
    assert int(refused["run-too"]) + int(refused["run"]) > 0, "two threads never met in a vCPU"
    assert_unused(module_loaded)


def test_descriptors_close_under_a_running_vcpu(module_loaded: Guest) -> None:
    lifecycle(module_loaded, "close 40")
    assert_unused(module_loaded)


def test_sigkill_at_any_moment(module_loaded: Guest, seed: int) -> None:
    said = lifecycle(module_loaded, f"kill {seed} {KILLS}")
    died = dict(re.findall(r"^([a-z]+): (\d+)$", said, re.M))
    assert [phase for phase in PHASES if int(died[phase]) == 0] == []
    module_loaded.run("/lab/hello", check=True)
    assert_unused(module_loaded)


IN_USE = """
/lab/lifecycle hold 1 >/tmp/hold & pid=$!
until grep -q holding /tmp/hold; do sleep 0.05; done
rmmod dune 2>/tmp/refused; echo "status $?"
kill $pid; wait $pid || exit 9
rmmod dune && echo gone
"""


def test_the_module_stays_while_guests_run_and_goes_right_after(module_loaded: Guest) -> None:
    said = module_loaded.run(IN_USE, check=True).text
    assert said == "status 1\ngone\n"
    load_module(module_loaded, MODULE)
    module_loaded.run("/lab/hello", check=True)
