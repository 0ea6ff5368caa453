# SPDX-License-Identifier: BSD-2-Clause
"""dune.ko beside KVM on VT-x: inside the VMX operation KVM has entered, and KVM does not notice."""

import re

import pytest

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


@pytest.mark.parametrize("command", ["hello", "fpu 2000"])
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
