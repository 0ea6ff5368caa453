# SPDX-License-Identifier: BSD-2-Clause
"""How exits are judged, and how QEMU's log of what was executed is read."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from lab.bench.executed import Instruction, Reader, Symbols, costly, median_round
from lab.bench.hv import KINDS, OURS, PEER, checks_of, parse_output, require_exact
from lab.errors import LabError

LOOPS = "loop process 40003 40003\nloop dune 40003 40003\n"


def output(ours: int = 1000, theirs: int = 3000, repetitions: int = 5) -> str:
    lines = [
        f"exit {kind} {who} {(ours if who == OURS else theirs) * 10 + noise} 10"
        for noise in range(repetitions)
        for who in (OURS, PEER)
        for kind in KINDS
    ]
    return LOOPS + "\n".join(lines) + "\n"


def test_samples_are_for_one_exit() -> None:
    measured = parse_output(output())
    assert measured.samples["out, dune"] == [1000.0, 1000.1, 1000.2, 1000.3, 1000.4]
    assert len(measured.samples) == 2 * len(KINDS)
    assert [loop.where for loop in measured.loops] == ["process", "dune"]


def test_more_instructions_than_kvm_is_a_target_missed() -> None:
    for ours, met in ((3000, True), (3001, False)):
        checks = checks_of(parse_output(output(ours)), "instructions")
        exits = [check for check in checks if check.against]
        assert len(exits) == len(KINDS)
        assert all(check.met is met for check in exits)
        assert {check.unit for check in exits} == {"instructions"}
        require_exact(checks, "svm-icount")  # a missed target is no error


def test_a_loop_that_is_counted_wrong_ends_the_run() -> None:
    said = output().replace("loop dune 40003 40003", "loop dune 40003 40004")
    checks = checks_of(parse_output(said), "instructions")
    with pytest.raises(LabError, match=r"does not count instructions: .* dune: 1"):
        require_exact(checks, "svm-icount")


def test_where_time_is_counted_the_loops_are_not_judged() -> None:
    said = output().replace("40003\n", "9999\n")
    assert all(check.against for check in checks_of(parse_output(said), "TSC ticks"))


@pytest.mark.parametrize(
    "said",
    [
        "",
        output().replace(LOOPS, ""),
        "\n".join(line for line in output().splitlines() if "hlt kvm" not in line),
        output() + "exit out dune 10 10\n",
        output() + "exit nonsense dune 10 10\n",
    ],
)
def test_an_incomplete_output_is_refused(said: str) -> None:
    with pytest.raises(LabError, match="did not measure all"):
        parse_output(said)


LOG = """----------------
IN:
0xffffffffc0001000:  0f 01 d8                 vmrun    %rax

Trace 0: 0x7f4d713322c0 [0000000000000000/ffffffffc0001000/10d0c2b0/ff020201]
----------------
IN:
0x00010000:  e6 10                    outb     %al, $0x10

Trace 0: 0x7f4d71332400 [0000000000000000/0000000000010000/10d0c2b0/ff020201]
----------------
IN:
0xffffffffc0001008:  f0 48 0f ba 28 05        lock btsq $5, (%rax)

Trace 0: 0x7f4d71332400 [0000000000000000/ffffffffc0001008/10d0c2b0/ff020201]
Trace 0: 0x7f4d713322c0 [0000000000000000/ffffffffc0001000/10d0c2b0/ff020201]
Trace 0: 0x7f4d71332400 [0000000000000000/0000000000010000/10d0c2b0/ff020201]
Trace 0: 0x7f4d713322c0 [0000000000000000/ffffffffc0001000/10d0c2b0/ff020201]
Trace 0: 0x7f4d71332400 [0000000000000000/0000000000010000/10d0c2b0/ff020201]
Trace 0: 0x7f4d71332400 [0000000000000000/0000000000010000/10d0c2b0/ff020201]
Trace 0: 0x7f4d71332400 [0000000000000000/0000000000010000/10d0c2b0/ff020201]
Trace 0: 0x7f4d713322c0 [0000000000000000/ffffffffc0001000/10d0c2b0/ff020201]
Trace 0: 0x7f4d71332400 [0000000000000000/0000000000010000/10d0c2b0/ff020201]
"""


def parse(log: str) -> Sequence[Instruction]:
    reader = Reader({})
    reader.take(log)
    return reader.executed()


def test_a_log_is_read_in_whatever_pieces_it_comes() -> None:
    reader = Reader({})
    for at in range(0, len(LOG), 7):
        reader.take(LOG[at : at + 7])
    assert reader.executed() == parse(LOG)
    assert reader.vmruns == 4


def test_texts_of_an_earlier_log_count_in_a_later_one() -> None:
    texts: dict[int, str] = {}
    Reader(texts).take(LOG)
    later = Reader(texts)
    later.take("".join(line for line in LOG.splitlines(True) if line.startswith("Trace")))
    assert later.vmruns == 4
    assert later.executed() == parse(LOG)


def test_what_was_executed_is_read_in_order() -> None:
    executed = parse(LOG)
    assert [one.mnemonic for one in executed[:4]] == ["vmrun", "outb", "btsq", "vmrun"]
    assert len(executed) == 11


def test_of_rounds_between_vmruns_the_median_one_counts() -> None:
    # They have 3, 2 and 4 instructions; what follows the last VMRUN is no round.
    assert [one.mnemonic for one in median_round(parse(LOG))] == ["vmrun", "outb", "btsq"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("vmrun %rax", "VMRUN"),
        ("vmsave %rax", "VMLOAD, VMSAVE"),
        ("wrmsr", "WRMSR"),
        ("xrstor (%rdi)", "XSAVE, XRSTOR"),
        ("movq %cr2, %rax", "MOV CR, DR"),
        ("movq %rax, %db7", "MOV CR, DR"),
        ("xchgl %eax, 0x60(%rbx)", "XCHG with memory"),
        ("lfence", "fences"),
        ("iretq", "IRET"),
    ],
)
def test_what_counts_as_costly(text: str, name: str) -> None:
    assert costly([Instruction(0, text)] * 3) == {name: 3}


@pytest.mark.parametrize("text", ["", "movq %rcx, %rdx", "xchgq %rax, %rbx", "cpuidx", "movl $1"])
def test_what_does_not(text: str) -> None:
    assert costly([Instruction(0, text)]) == {}


def test_instructions_are_counted_by_function() -> None:
    symbols = Symbols(
        "ffffffffc0001000 t svm_enter\t[dune]\nffffffffc0001004 d table\t[dune]\n"
        "ffffffffc0001008 T other\n"
    )
    counts = symbols.functions(parse(LOG))
    assert counts == {"svm_enter": 4, "(process or guest)": 6, "other": 1}
