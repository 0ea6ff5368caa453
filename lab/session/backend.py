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


def load_kvm(guest: Guest, vendor: Vendor) -> None:
    """Load KVM into the guest's kernel; dies if it does not offer its device there."""
    guest.run(f"modprobe {KVM_MODULE[vendor]} && test -c /dev/kvm", check=True)
