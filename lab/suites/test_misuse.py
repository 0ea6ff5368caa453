# SPDX-License-Identifier: BSD-2-Clause
"""What a program does wrong, or the host lacks: an error, or one clear report and a signal."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass
from signal import Signals

import pytest

from lab.run import parse_hello
from lab.session.backend import KVM, Backend

pytestmark = [pytest.mark.lab_requires("svm"), pytest.mark.lab_boot("seed")]

ERRORS = [
    *("too early", "init again", "wrong place", "no handler", "shared thread", "no capability"),
    *("no memory", "no descriptors", "too many threads", "no window"),
]

REPORT = re.compile(r"^dbos: (.*)\n((?:  \w.*\n){7})", re.M)
REGISTER = re.compile(r"(\w[\w ]*?) +([0-9a-f]{16})\b")
REGISTERS = {
    *("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12"),
    *("r13", "r14", "r15", "rip", "flags", "vector", "error code", "address"),
}
MARK = 0x0BAD5EED0BAD5EED
"""In R12 of the code that goes wrong."""

SEGV, BUS = Signals.SIGSEGV, Signals.SIGBUS


@dataclass(frozen=True)
class End:
    """How a process ends that has done one thing wrong."""

    signal: Signals
    reason: str
    marked: bool = True
    """The registers are those of the code that went wrong."""
    error: int | None = None
    """The error code that is reported, if every processor's is the same."""


WRONG_ENTRY = "a page-table entry is wrong"
UNHANDLED = "exception without a handler"
LOST = "triple fault, and KVM has lost the registers: these are a reset's"
OUT_OF_REACH = "no guest-physical space or no frame for an address far from all others"

ENDS = {
    "reserved bits": End(SEGV, WRONG_ENTRY),
    "page beyond": End(BUS, WRONG_ENTRY),
    "fetch beyond": End(BUS, WRONG_ENTRY),
    "table beyond": End(BUS, WRONG_ENTRY),
    "CR3 beyond": End(BUS, WRONG_ENTRY),
    "CR3 reserved": End(SEGV, "the hypervisor can't run the guest's state"),
    "CR3 empty": End(SEGV, "triple fault"),
    "no trap stack": End(SEGV, "the trap stack is not in the page table"),
    "no entry stack": End(SEGV, "double fault"),
    "empty gate": End(SEGV, UNHANDLED),
    "no entry code": End(Signals.SIGALRM, ""),
    "no gates": End(SEGV, "triple fault"),
    "gates unmapped": End(SEGV, "the interrupt table is not there"),
    "tables unmapped": End(SEGV, "a page table is not there", marked=False),
    "stacks unmapped": End(SEGV, "a vCPU's own memory is not there"),
    "handler recurses": End(SEGV, "the trap stack has overflown", marked=False),
    "handler spoils frame": End(SEGV, "exception in a trap handler", marked=False),
    "overflow guarded": End(SEGV, UNHANDLED, marked=False),
    "overflow unguarded": End(SEGV, UNHANDLED, marked=False),
    "overflow by entry": End(SEGV, UNHANDLED, marked=False),
    "touch without window": End(SEGV, OUT_OF_REACH),
    "touch without frames": End(SEGV, OUT_OF_REACH),
    "run refused": End(BUS, "the hypervisor refuses", marked=False, error=errno.ENOMEM),
}


ENDS_ON_KVM = ENDS | {
    "CR3 beyond": End(Signals.SIGALRM, ""),
    "CR3 empty": End(SEGV, LOST, marked=False),
    "no gates": End(SEGV, LOST, marked=False),
}


def test_what_is_told_by_an_error(backend: Backend) -> None:
    ran = backend.run("/lab/misuse errors", timeout=90)
    assert ran.text.splitlines() == [f"{case}: ok" for case in ERRORS], ran.stderr.decode()


def test_what_ends_the_process(backend: Backend) -> None:
    wanted = ENDS_ON_KVM if backend.name == KVM else ENDS
    ran = backend.run("/lab/misuse ends", timeout=90)
    ends = re.findall(
        r"^(.*): signal (\d+) status 0 rip ([0-9a-f]+) address ([0-9a-f]+)$", ran.text, re.M
    )
    reports = dict(re.findall(r"^case (.*)\n((?:(?!case ).*\n)*)", ran.stderr.decode(), re.M))
    assert [name for name, *_ in ends] == list(wanted), ran.text + ran.stderr.decode()
    for name, signal, rip, address in ends:
        end, said = wanted[name], f"{name}\n{reports[name]}"
        assert Signals(int(signal)) is end.signal, said
        if not end.reason:
            assert not reports[name]
            continue
        registers = registers_of(reports[name], end.reason)
        if end.reason != LOST:
            assert not end.marked or registers["r12"] == MARK, said
            assert end.error in {None, registers["error code"]}, said
            assert int(rip, 16) in {0, registers["rip"]}, said
            assert int(address, 16) in {0, registers["address"]}, said
    parse_hello(backend.run("/lab/hello", check=True).text)


def registers_of(said: str, reason: str) -> dict[str, int]:
    """Return the registers of the one report there is, which is of that reason."""
    found = REPORT.fullmatch(said)
    assert found, f"not one report:\n{said}"
    assert found[1].startswith(reason), said
    registers = {register: int(value, 16) for register, value in REGISTER.findall(found[2])}
    assert registers.keys() == REGISTERS, said
    return registers
