# SPDX-License-Identifier: BSD-2-Clause
"""dune.ko comes, goes, and says clearly when it cannot."""

import re

import pytest
from testinfra.host import Host

from lab.deploy import MODULE, load_module, unload_module
from lab.errors import LabError
from lab.guest import Guest
from lab.lab import Lab

CYCLES = 20

HOLD_AND_UNLOAD = """
exec 3<>/dev/dune
rmmod dune
status=$?
exec 3>&-
exit $status
"""


def test_load_creates_the_device_for_root_only(module_loaded: Guest, host: Host) -> None:
    device = host.file("/dev/dune")
    assert device.exists
    assert device.user == "root"
    assert device.mode == 0o600
    assert host.run("test -c /dev/dune").rc == 0


def test_nobody_else_may_open_it(module_loaded: Guest) -> None:
    opened = module_loaded.run("su -s /bin/sh nobody -c 'exec 3<>/dev/dune'")
    assert opened.status != 0
    assert b"ermission denied" in opened.stderr


def test_unload_removes_the_device(guest: Guest, host: Host) -> None:
    load_module(guest, MODULE)
    unload_module(guest, MODULE)
    assert not host.file("/dev/dune").exists
    assert "dune" not in guest.run("cat /proc/modules", check=True).text.split()


def test_20_cycles_leak_no_memory(guest: Guest) -> None:
    for cycle in range(CYCLES):
        load_module(guest, MODULE)
        guest.run("/lab/threads 8 4", check=True)  # 32 vCPUs: 700 KiB that must come back
        unload_module(guest, MODULE)
        if cycle == 1:  # what the kernel keeps for next time, it has by now
            before = free_kib(guest)
    assert before - free_kib(guest) < 2048


def free_kib(guest: Guest) -> int:
    """Return the memory in nobody's hands, KiB: leaked pages are in no other statistic.

    Free pages that a processor keeps at hand are not in MemFree, and there are megabytes of them.
    """
    guest.run("sync; echo 3 >/proc/sys/vm/drop_caches", check=True)
    zones = guest.run("cat /proc/zoneinfo", check=True).text
    pages = re.findall(r"^ +(?:nr_free_pages|count:) +(\d+)$", zones, re.M)
    return 4 * sum(int(count) for count in pages)


def test_stays_loaded_while_in_use(module_loaded: Guest) -> None:
    unloaded = module_loaded.run(HOLD_AND_UNLOAD)
    assert unloaded.status != 0


REFUSALS = {
    "svm-tcg": ("EPYC,-svm,-cx16", "this CPU has no AMD-V (SVM)"),
    "svm-kvm": ("host,-svm", "this CPU has no AMD-V (SVM)"),
    "svm-bochs": ("athlon64_venice", "this CPU has no AMD-V (SVM)"),
    "vmx-kvm": ("host,-vmx", "this CPU has no VT-x (VMX)"),
    # It has VT-x, of the first kind: all that is missing is named at once.
    "vmx-bochs": ("core2_penryn_t9600", "VT-x (VMX) lacks: EPT, VPID, 4-level EPT"),
}
"""By engine: a CPU model without what the module needs, and what it says there."""


@pytest.mark.lab_boot("seed")
def test_refuses_a_cpu_without_what_it_needs_and_says_so(lab: Lab, guest: Guest) -> None:
    profile = lab.profile("seed")
    cpu, reason = REFUSALS[lab.engine.name]
    with lab.booted(profile, cpu=cpu) as other:
        lab.deploy_to(other.guest)
        with pytest.raises(LabError) as refused:
            load_module(other.guest, MODULE)
        assert reason in refused.value.detail
        assert other.guest.run("test -e /dev/dune").status != 0
