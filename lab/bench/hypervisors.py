# SPDX-License-Identifier: BSD-2-Clause
"""A guest with both hypervisors in its kernel, dune.ko and KVM, to compare what stands on them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.deploy import MODULE, load_module
from lab.engine import Vendor
from lab.errors import Status, die

if TYPE_CHECKING:
    from lab.lab import Booted, Lab

PROFILE = "seed"


@contextmanager
def both_loaded(lab: Lab, otherwise: str, memory_mib: int | None = None) -> Iterator[Booted]:
    """Boot it, with all that was built in ``/lab``.

    Dies with ``USAGE`` if the engine has no SVM, and says to type ``otherwise``.
    """
    if lab.engine.vendor is not Vendor.SVM:
        die(
            f"The engine {lab.engine.name} has no SVM, and kvm_amd is what we compare with.",
            otherwise,
            status=Status.USAGE,
        )
    with lab.booted(lab.profile(PROFILE), memory_mib=memory_mib) as booted:
        lab.deploy_to(booted.guest)
        load_module(booted.guest, MODULE)
        booted.guest.run("modprobe kvm-amd", check=True)
        yield booted


def facts(lab: Lab, booted: Booted) -> Mapping[str, object]:
    """What a record says of the guest."""
    return {
        "kernel": lab.image.kernel_release,
        "boot_arguments": " ".join(booted.machine.spec.arguments),
        "image_digest": lab.image.digest,
    }


def unit_of(lab: Lab) -> str:
    """In what the guest's time-stamp counter counts."""
    return "instructions" if lab.engine.counts_instructions else "TSC ticks"
