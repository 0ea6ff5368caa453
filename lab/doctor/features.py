# SPDX-License-Identifier: BSD-2-Clause
"""Names for CPU features, from the raw CPUID and MSR words the probe printed.

Two tables say where each bit is; the code only looks them up. Bit positions are those of the AMD
and Intel manuals (AMD vol. 3 appendix E, Intel vol. 2 CPUID and vol. 3 appendix A).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from lab.doctor.transcript import Registers, Transcript

EAX, EBX, ECX, EDX = range(4)

Place: TypeAlias = tuple[int, int, int, int]
"""Leaf, subleaf, register, bit."""

CPUID_FEATURES: Mapping[str, Place] = {
    "svm": (0x80000001, 0, ECX, 2),
    "npt": (0x8000000A, 0, EDX, 0),
    "nrip-save": (0x8000000A, 0, EDX, 3),
    "flush-by-asid": (0x8000000A, 0, EDX, 6),
    "decode-assists": (0x8000000A, 0, EDX, 7),
    "avic": (0x8000000A, 0, EDX, 13),
    "vmx": (0x00000001, 0, ECX, 5),
    "pcid": (0x00000001, 0, ECX, 17),
    "invpcid": (0x00000007, 0, EBX, 10),
    "1g-pages": (0x80000001, 0, EDX, 26),
    "x2apic": (0x00000001, 0, ECX, 21),
    "la57": (0x00000007, 0, ECX, 16),
    "xsave": (0x00000001, 0, ECX, 26),
    "xsaveopt": (0x0000000D, 1, EAX, 0),
    "xsavec": (0x0000000D, 1, EAX, 1),
    "xsaves": (0x0000000D, 1, EAX, 3),
    "smep": (0x00000007, 0, EBX, 7),
    "smap": (0x00000007, 0, EBX, 20),
    "fsgsbase": (0x00000007, 0, EBX, 0),
    "hypervisor": (0x00000001, 0, ECX, 31),
}

SVM_ONLY = frozenset({"npt", "nrip-save", "flush-by-asid", "decode-assists", "avic"})
"""Leaf 8000000Ah is defined only where SVM is."""

PIN_BASED, SECONDARY, EPT_VPID, MISC = 0x481, 0x48B, 0x48C, 0x485

VMX_FEATURES: Mapping[str, tuple[int, int]] = {
    # In the words of controls, bit 32 + n says that control n may be set.
    "ept": (SECONDARY, 32 + 1),
    "vpid": (SECONDARY, 32 + 5),
    "unrestricted-guest": (SECONDARY, 32 + 7),
    "apic-register-virtualization": (SECONDARY, 32 + 8),
    "virtual-interrupt-delivery": (SECONDARY, 32 + 9),
    "shadow-vmcs": (SECONDARY, 32 + 14),
    "pml": (SECONDARY, 32 + 17),
    "preemption-timer": (PIN_BASED, 32 + 6),
    "posted-interrupts": (PIN_BASED, 32 + 7),
    # In these words, bit n itself.
    "ept-execute-only": (EPT_VPID, 0),
    "ept-2m": (EPT_VPID, 16),
    "ept-1g": (EPT_VPID, 17),
    "invept": (EPT_VPID, 20),
    "ept-accessed-dirty": (EPT_VPID, 21),
    "invvpid": (EPT_VPID, 32),
}

FLAGS = (*CPUID_FEATURES, *VMX_FEATURES)
"""Every name that can be reported, in the order of the report."""


@dataclass(frozen=True)
class Features:
    """The CPU as the guest sees it."""

    vendor: str
    """CPUID's twelve letters: ``AuthenticAMD``, ``GenuineIntel``; empty if unknown."""
    hypervisor_vendor: str
    """The hypervisor's own twelve letters, where the hypervisor bit is set."""
    physical_bits: int
    linear_bits: int
    flags: frozenset[str]
    """A subset of ``FLAGS``."""


def read_features(transcript: Transcript) -> Features:
    """Look every feature up. What the probe did not get to say counts as absent."""
    leaves = transcript.leaves
    flags = {
        name
        for name, (leaf, subleaf, register, bit) in CPUID_FEATURES.items()
        if (words := leaves.get((leaf, subleaf))) and words[register] >> bit & 1
    }
    if "svm" not in flags:
        flags -= SVM_ONLY
    if "vmx" in flags:
        flags |= {
            name
            for name, (msr, bit) in VMX_FEATURES.items()
            if (transcript.msrs.get(msr) or 0) >> bit & 1
        }
    widths = leaves.get((0x80000008, 0), (0, 0, 0, 0))[EAX]
    hypervisor = leaves.get((0x40000000, 0)) if "hypervisor" in flags else None
    return Features(
        vendor=_letters(leaves.get((0, 0)), (EBX, EDX, ECX)),
        hypervisor_vendor=_letters(hypervisor, (EBX, ECX, EDX)),
        physical_bits=widths & 0xFF,
        linear_bits=widths >> 8 & 0xFF,
        flags=frozenset(flags),
    )


def _letters(words: Registers | None, order: tuple[int, int, int]) -> str:
    if words is None:
        return ""
    raw = struct.pack("<3I", *(words[register] & 0xFFFFFFFF for register in order))
    return "".join(chr(byte) for byte in raw if 0x20 <= byte < 0x7F)
