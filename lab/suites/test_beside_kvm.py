# SPDX-License-Identifier: BSD-2-Clause
"""dune.ko beside KVM: inside the SVM or VMX operation KVM has entered, and neither notices.

What no emulator can show is a TLB entry of one guest that another one finds: QEMU and Bochs drop
their whole TLB at each world switch, whatever VMRUN is asked for. So the flushes are counted.
"""

from __future__ import annotations

import re

import pytest

from lab.engine import Accelerator
from lab.guest import Guest
from lab.lab import Lab
from lab.session.backend import KVM_MODULE

pytestmark = pytest.mark.lab_boot("seed")

BESIDE = """
cpu=$(sed -n 's/^processor.*: //p' /proc/cpuinfo | tail -n 1)
{pin} /lab/kvm_busy >/tmp/kvm.out & pid=$!
until grep -q runs /tmp/kvm.out; do kill -0 $pid || exit 1; sleep 0.05; done
{pin} {command}
status=$?
kill -TERM $pid
wait $pid || exit 2
cat /tmp/kvm.out
exit $status
"""

ONE_CPU = "taskset -c $cpu"

COUNT = """
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
/lab/spin 2 >/tmp/spin.out & spin=$!
until grep -q spinning /tmp/spin.out; do kill -0 $spin || exit 1; sleep 0.05; done
sleep 1
kill -STOP $spin
until ! grep -h ^State /proc/$spin/task/*/status | grep -qv stopped; do sleep 0.05; done
cat /sys/kernel/debug/dune/*/statistics
kill -KILL $spin
"""

HOT_PLUG = """
/lab/spin 3 >/tmp/spin.out & spin=$!
until grep -q spinning /tmp/spin.out; do kill -0 $spin || exit 1; sleep 0.05; done
for i in 1 2 3; do
	echo 0 >/sys/devices/system/cpu/cpu$cpu/online || exit 3
	/lab/hello || exit 4
	echo 1 >/sys/devices/system/cpu/cpu$cpu/online || exit 5
	taskset -c $cpu /lab/hello || exit 6
done
kill -0 $spin || exit 7
kill -KILL $spin
"""

LATE = """
/lab/spin 1 >/tmp/spin.out & spin=$!
until grep -q spinning /tmp/spin.out; do kill -0 $spin || exit 1; sleep 0.05; done
insmod /lab/preempt_notifiers.ko && modprobe kvm || exit 6
if [ -e /sys/module/kvm/parameters/enable_virt_at_load ]; then
	modprobe {kvm} 2>/tmp/modprobe.out && exit 2
	rmmod kvm && modprobe kvm enable_virt_at_load=0
fi
modprobe {kvm} && /lab/kvm_late || exit 3
/lab/hello || exit 4
kill -0 $spin || exit 5
kill -KILL $spin
wait
"""


@pytest.fixture
def kvm(lab: Lab) -> str:
    """Return the name of KVM's module for the engine's processors."""
    return KVM_MODULE[lab.engine.vendor]


def beside(guest: Guest, command: str, pin: str = "") -> str:
    """Run a command beside a guest of KVM's that works; return what both said."""
    ran = guest.run(BESIDE.format(command=command, pin=pin), timeout=300)
    assert ran.status == 0, ran.text + ran.stderr.decode()
    counted = re.search(
        r"^kvm_busy: ok, (\d+) system calls, switched out (\d+) times$", ran.text, re.M
    )
    assert counted
    assert int(counted[1]) > 0
    assert int(counted[2]) > 0 or not pin, "the two never took turns"
    return ran.text


@pytest.mark.parametrize("command", ["hello", "fpu 2000", "threads 8 3", "memory", "slots"])
def test_both_run_and_both_are_right(module_loaded: Guest, kvm_loaded: Guest, command: str) -> None:
    said = beside(kvm_loaded, f"/lab/{command}")
    assert re.search(rf"^{command.split(maxsplit=1)[0]}: ok", said, re.M)


@pytest.mark.parametrize("command", ["hello", "threads 4 3", "memory"])
def test_they_take_turns_on_one_cpu(module_loaded: Guest, kvm_loaded: Guest, command: str) -> None:
    said = beside(kvm_loaded, f"/lab/{command}", ONE_CPU)
    assert re.search(rf"^{command.split(maxsplit=1)[0]}: ok", said, re.M)


@pytest.mark.lab_requires("svm")
def test_each_exit_is_followed_by_a_flush(module_loaded: Guest, kvm_loaded: Guest) -> None:
    said = beside(kvm_loaded, f"{{ {COUNT} }}")
    counters = dict(re.findall(r"^(\w+) (\d+)$", said, re.M))
    assert int(counters["exits"]) > 100
    assert counters["flushes_behind"] == counters["exits"]


def test_what_is_accepted_as_a_lease(module_loaded: Guest, kvm_loaded: Guest) -> None:
    assert "lease: ok" in beside(kvm_loaded, "/lab/lease")


def test_a_cpu_goes_and_comes_back(module_loaded: Guest, kvm_loaded: Guest, lab: Lab) -> None:
    if lab.engine.accelerator is Accelerator.BOCHS:
        pytest.skip("too slow under Bochs")
    said = beside(kvm_loaded, f"{{ {HOT_PLUG} }}")
    assert said.count("hello: ok") == 6


def test_kvm_that_comes_later_is_refused(module_loaded: Guest, kvm: str) -> None:
    ran = module_loaded.run(LATE.format(kvm=kvm), timeout=120)
    assert ran.status == 0, ran.text + ran.stderr.decode()
    assert "kvm_late: ok" in ran.text
    assert "hello: ok" in ran.text
    assert "hello: ok" in beside(module_loaded, "/lab/hello"), "now it is KVM's turn"
