# SPDX-License-Identifier: BSD-2-Clause
"""What processors do, from the text of QEMU's monitor (recorded with QEMU 7.2, shortened)."""

from __future__ import annotations

import pytest

from lab.machine.cpus import Condition, Cpu, all_stuck, condition, describe, parse_registers

REGISTERS = """
CPU#0
RAX=ffffffff81a59180 RBX=0000000000000000 RCX=ffff88803f4805e0 RDX=4000000000000000
RIP=ffffffff81a592eb RFL=00000206 [-----P-] CPL=0 II=0 A20=1 SMM=0 HLT=1
ES =0000 0000000000000000 00000000 00000000

CPU#1
RAX=0000000000000000 RBX=0000000000000000 RCX=0000000000000000 RDX=0000000000000000
RIP=000055d675527720 RFL=00000046 [---Z-P-] CPL=3 II=0 A20=1 SMM=0 HLT=0
"""

REAL_MODE = """
CPU#0
EAX=00000000 EBX=00000000 ECX=00000000 EDX=00000000
EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
"""

IDLE = Cpu(0, rip=0x10, interrupts=True, halted=True, ring=0)
BUSY = Cpu(1, rip=0x20, interrupts=True, halted=False, ring=3)
SPINS = Cpu(0, rip=0x30, interrupts=False, halted=False, ring=0)
HALTED = Cpu(1, rip=0x40, interrupts=False, halted=True, ring=0)


def test_registers_are_read() -> None:
    assert parse_registers(REGISTERS) == (
        Cpu(0, rip=0xFFFFFFFF81A592EB, interrupts=True, halted=True, ring=0),
        Cpu(1, rip=0x55D675527720, interrupts=False, halted=False, ring=3),
    )
    assert parse_registers(REAL_MODE) == (
        Cpu(0, rip=0xFFF0, interrupts=False, halted=False, ring=0),
    )


@pytest.mark.parametrize("text", ["", "unknown command: 'info'", "CPU#0\nRIP=", "CPU#0\nRFL=2\n"])
def test_text_that_is_something_else_is_no_processor(text: str) -> None:
    assert parse_registers(text) == ()


def test_stuck_are_they_only_all_together() -> None:
    assert all_stuck((SPINS, HALTED))
    assert not all_stuck((SPINS, BUSY))
    assert not all_stuck(())  # nothing is known


@pytest.mark.parametrize(
    ("looks", "running", "found"),
    [
        ([(SPINS, HALTED)] * 3, True, Condition.STUCK),
        ([(SPINS, HALTED), (SPINS, BUSY)], True, Condition.RUNNING),
        ([(IDLE, IDLE)] * 3, True, Condition.IDLE),
        ([(IDLE, IDLE), (IDLE, BUSY)], True, Condition.RUNNING),
        ([(SPINS, HALTED)] * 3, False, Condition.PAUSED),
        ([], True, Condition.UNKNOWN),
        ([(SPINS,), ()], True, Condition.UNKNOWN),
    ],
)
def test_condition(looks: list[tuple[Cpu, ...]], running: bool, found: Condition) -> None:
    assert condition(looks, running=running) is found


def test_each_processor_is_described() -> None:
    moved = Cpu(1, rip=0x28, interrupts=True, halted=False, ring=3)
    assert describe([(SPINS, BUSY), (SPINS, moved)]) == (
        "CPU 0: at one address, interrupts off, ring 0, RIP 30\n"
        "CPU 1: moving, interrupts on, ring 3, RIP 28"
    )
    assert describe([(IDLE,)]) == "CPU 0: halted, interrupts on, ring 0, RIP 10"
