# SPDX-License-Identifier: BSD-2-Clause
"""Programs of ioctls and guest code at random: nothing they do harms the host.

``tests/guest/fuzz`` draws them. It fails by itself where an answer is wrong or memory has changed
that no guest may write to; whether the kernel has anything to complain of, the verdict tells.
``--lab-rounds 140`` (``make fuzz``) is the long form. A failing step is ``/lab/fuzz SEED COUNT``;
the kernel log names the program in it, and ``/lab/fuzz SEED 1 INDEX`` runs that one alone. These
numbers are good for one version of the fuzzer: a change of its table of instructions changes all
programs. What it has found is therefore kept as a case of conformance.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from lab.engine import Vendor
from lab.guest import Guest
from lab.lab import Lab
from lab.options import number
from lab.session.stress import Setting, Stressed
from lab.state import Preparation, State
from lab.stress.plan import Operation

pytestmark = pytest.mark.lab_boot("seed")

PROGRAMS = 10
"""In one step: a second or two, emulated."""
COUNTS = "/tmp/fuzz"

COMMON = [
    *("exit INTERRUPTED", "exit IO", "exit HLT", "exit MEMORY_FAULT", "exit SHUTDOWN"),
    *("requests", "refused", "interrupts", "injected", "endless", "replaced"),
    # Traps the guest has taken: #DB, #BP, #UD, #DF, #NP, #SS, #GP, #PF.
    *(f"vector {vector}" for vector in (1, 3, 6, 8, 11, 12, 13, 14)),
]
HARDWARE = {
    Vendor.SVM: [
        *("interrupt", "vintr", "cpuid", "hlt", "io", "msr", "npf", "shutdown", "DB excp"),
        *("write_cr0", "write_cr4", "read_dr0", "read_dr7", "rdpmc", "wbinvd", "rsm"),
        *("vmrun", "hypercall", "vmload", "vmsave", "stgi", "clgi", "skinit", "invlpga"),
    ],
    Vendor.VMX: [
        *("EXTERNAL_INTERRUPT", "INTERRUPT_WINDOW", "CPUID", "HLT", "IO_INSTRUCTION"),
        *("EXCEPTION_NMI", "TRIPLE_FAULT", "MSR_READ", "MSR_WRITE", "EPT_VIOLATION"),
        *("CR_ACCESS", "DR_ACCESS", "RDPMC", "INVD", "WBINVD", "XSETBV", "VMCALL"),
        *("VMLAUNCH", "VMRESUME", "VMOFF", "VMON", "VMCLEAR", "VMPTRLD", "INVEPT"),
    ],
}
"""What must have happened in each round, or the fuzzer has gone blind. As the module calls it."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "round_" in metafunc.fixturenames:
        metafunc.parametrize("round_", range(number(metafunc.config, "rounds", 1)))


def programs(random: Random) -> str:
    return f"/lab/fuzz {random.randrange(1 << 32)} {PROGRAMS} >>{COUNTS}"


def mount_debugfs(guest: Guest) -> None:
    guest.run("mount -t debugfs debugfs /sys/kernel/debug", check=True)


def expect_hello(guest: Guest) -> None:
    """The processors are still good for another guest."""
    guest.run("/lab/hello", check=True)


def counted(text: str) -> Counter[str]:
    """Add up what the steps have printed."""
    counts: Counter[str] = Counter()
    for line in text.splitlines():
        name, colon, value = line.rpartition(": ")
        if colon and value.isdecimal():
            counts[name] += int(value)
    return counts


@pytest.mark.lab_stress(operations=24)
def test_no_program_harms_the_host(
    stress: Stressed, lab: Lab, round_: int, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs: list[str] = []

    def conclude(guest: Guest) -> None:
        expect_hello(guest)
        outputs.append(guest.run(f"cat {COUNTS}", check=True).text)

    setting = Setting(State.MODULE_LOADED, Preparation("debugfs", mount_debugfs), conclude)
    stress.run([Operation("fuzz", programs)], setting)
    counts = counted(outputs[0])
    with capsys.disabled():
        print(f"\nround {round_}: {', '.join(f'{n} {name}' for name, n in counts.items())}")
    expected = [*COMMON, *(f"hardware {name}" for name in HARDWARE[lab.engine.vendor])]
    assert [name for name in expected if not counts[name]] == []
