# SPDX-License-Identifier: BSD-2-Clause
"""The hypervisors that libdbos can stand on, and programs of ``/lab`` on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.engine import Vendor

if TYPE_CHECKING:
    from lab.command import Result
    from lab.guest import Guest

DUNE = "dune"
KVM = "kvm"
"""Both by the names that ``DBOS_BACKEND`` takes."""

KVM_MODULE = {Vendor.SVM: "kvm_amd", Vendor.VMX: "kvm_intel"}


@dataclass(frozen=True)
class Backend:
    """A guest whose programs enter on one backend and no other."""

    name: str
    guest: Guest

    def run(self, command: str, *, timeout: float | None = None, check: bool = False) -> Result:
        """Run a shell command as ``Guest.run`` does."""
        chosen = f"export DBOS_BACKEND={self.name}; {command}"
        return self.guest.run(chosen, timeout=timeout, check=check)


_LOADED_IDLE = """\
insmod /lab/preempt_notifiers.ko && modprobe kvm &&
{{ [ ! -e /sys/module/kvm/parameters/enable_virt_at_load ] ||
	{{ rmmod kvm && modprobe kvm enable_virt_at_load=0; }}; }} &&
modprobe {module} && test -c /dev/kvm
"""
"""KVM takes the processors when it has a VM; newer ones do at once unless told (Linux 6.12).

The first module is against a fault of QEMU's: see its source in ``tests/guest/modules``.
"""


def load_kvm(guest: Guest) -> None:
    """Load KVM into the guest's kernel; dies if it does not offer its device there."""
    module = KVM_MODULE[guest.machine.spec.engine.vendor]
    guest.run(_LOADED_IDLE.format(module=module), check=True)
