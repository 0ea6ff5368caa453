# SPDX-License-Identifier: BSD-2-Clause
"""dune.ko beside KVM on VT-x: inside the VMX operation KVM has entered, and KVM does not notice."""

import re

import pytest

from lab.deploy import MODULE, unload_module
from lab.guest import Guest

pytestmark = pytest.mark.lab_requires("vmx")

LOAD = "modprobe kvm_intel && test -c /dev/kvm"

BESIDE = """
/lab/kvm_busy >/tmp/kvm.out & pid=$!
until grep -q runs /tmp/kvm.out; do kill -0 $pid || exit 1; sleep 0.05; done
{command}
status=$?
kill -TERM $pid
wait $pid || exit 2
cat /tmp/kvm.out
exit $status
"""


@pytest.fixture
def with_kvm(module_loaded: Guest) -> Guest:
    """Load KVM beside the module: from then on both want the processors."""
    module_loaded.run(LOAD, check=True)
    return module_loaded


@pytest.mark.parametrize("command", ["hello", "threads 8 5", "memory", "fpu 2000"])
def test_both_run_and_both_are_right(with_kvm: Guest, command: str) -> None:
    ran = with_kvm.run(BESIDE.format(command=f"/lab/{command}"), timeout=120)
    assert ran.status == 0, ran.text + ran.stderr.decode()
    assert re.search(rf"^{command.split(maxsplit=1)[0]}: ok", ran.text, re.M)
    counted = re.search(r"^kvm_busy: ok, (\d+) system calls$", ran.text, re.M)
    assert counted
    assert int(counted[1]) > 0


def test_what_is_accepted_as_a_lease(with_kvm: Guest) -> None:
    ran = with_kvm.run(BESIDE.format(command="/lab/lease"))
    assert ran.status == 0, ran.text + ran.stderr.decode()
    assert "lease: ok" in ran.text


def test_the_module_goes_and_kvm_stays(with_kvm: Guest) -> None:
    with_kvm.run(BESIDE.format(command="/lab/hello"), check=True)
    unload_module(with_kvm, MODULE)
    with_kvm.run(BESIDE.format(command="true"), check=True)


def test_kvm_first_come_finds_the_module_at_work(with_kvm: Guest) -> None:
    """Where we entered VMX operation, KVM says that it is busy, and no one is hurt."""
    if "N" not in with_kvm.run("cat /sys/module/kvm/parameters/enable_virt_at_load || echo N").text:
        pytest.skip("this KVM enters VMX operation when it is loaded")
    ran = with_kvm.run(
        "/lab/spin 1 >/tmp/spin.out & pid=$!\n"
        "until grep -q spinning /tmp/spin.out; do sleep 0.05; done\n"
        "/lab/kvm_busy; status=$?\n"
        "kill -TERM $pid; wait $pid; test $status = 1 && /lab/hello"
    )
    assert ran.status == 0, ran.text
    assert b"KVM_CREATE_VM" in ran.stderr
