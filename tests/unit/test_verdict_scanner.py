# SPDX-License-Identifier: BSD-2-Clause
"""The mechanics of the scanner. What it makes of real kernels' words: test_golden_logs.py."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.verdict.report import Report
from lab.verdict.scanner import Scanner, scan

TRACE = """Modules linked in: zoo(OE)
CPU: 0 PID: 12 Comm: sh Tainted: G           OE      6.1.0 #1
RIP: 0010:{at}+0x7/0x10 [zoo]
Code: 0f 0b
Call Trace:
 <TASK>
 ? left_over+0x1/0x2
 zoo_write+0xbe/0x110 [zoo]
 </TASK>
---[ end trace 0000000000000000 ]---
"""
CUT_HERE = "------------[ cut here ]------------\n"
WARN = CUT_HERE + "WARNING: CPU: 0 PID: 12 at /zoo.c:1 {at}+0x7/0x10 [zoo]\n" + TRACE
OOPS = "BUG: kernel NULL pointer dereference, address: 0000\nOops: 0000 [#1] SMP\n" + TRACE
PANIC = "Kernel panic - not syncing: {why}\nCPU: 0 PID: 1 Comm: sh\nKernel Offset: disabled\n"
NOISE = "".join(f"eth0: line {n}\n" for n in range(30))


def console(*parts: str, start: float = 1.0) -> bytes:
    """As a serial console shows it: with time stamps and carriage returns."""
    lines = "".join(parts).splitlines()
    return "".join(
        f"[{start + n / 1000:12.6f}] {line}\r\n" for n, line in enumerate(lines)
    ).encode()


def titles(stream: bytes) -> list[str]:
    return [report.title for report in scan(stream)]


def in_pieces(stream: bytes, cuts: list[int]) -> tuple[Report, ...]:
    scanner = Scanner()
    reports: list[Report] = []
    for start, end in pairwise([0, *cuts, len(stream)]):
        reports += scanner.feed(stream[start:end])
    return (*reports, *scanner.finish())


PIECES = st.sampled_from(
    [
        *(line + "\n" for line in (WARN + OOPS + PANIC).format(at="f", why="w").splitlines()),
        "[    1.000000] BUG: ",
        "[    2.000000] ",
        "half a line ",
        "\r",
        "\n",
        "x" * 4090,
        "Out of memory: Killed process 3 (hog) total-vm:1kB\n",
        "\x1b[0m",
        "\xff",
    ]
)


@given(st.lists(PIECES, max_size=40).map("".join), st.data())
def test_what_is_found_does_not_depend_on_how_the_stream_was_cut(
    text: str, data: st.DataObject
) -> None:
    stream = text.encode("latin-1")
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=12)))
    assert in_pieces(stream, cuts) == scan(stream)


def test_a_stream_in_single_bytes_and_in_two_pieces_at_every_point() -> None:
    stream = console("x" * 5000 + "\n", WARN.format(at="zoo_a"), NOISE, OOPS.format(at="zoo_b"))
    whole = scan(stream)
    assert len(whole) == 2
    assert in_pieces(stream, list(range(1, len(stream)))) == whole
    for cut in range(len(stream)):
        assert in_pieces(stream, [cut]) == whole


def test_a_report_comes_with_its_text_and_its_place_in_the_stream() -> None:
    noise = console(NOISE)
    stream = noise + console(WARN.format(at="zoo_warn"), NOISE, start=2)
    (report,) = scan(stream)
    assert (report.title, report.where, report.panic) == ("WARNING in zoo_warn", "zoo_warn", "")
    assert report.text == WARN.format(at="zoo_warn").rstrip()
    assert report.offset == len(noise)


def test_an_oops_and_the_panic_it_leads_to_are_one_report() -> None:
    stream = console(OOPS.format(at="zoo_null"), PANIC.format(why="Fatal exception"))
    (report,) = scan(stream)
    assert report.title == "BUG: kernel NULL pointer dereference in zoo_null"
    assert report.panic == "Fatal exception"


def test_a_few_other_lines_in_between_do_not_end_a_report() -> None:
    few = "".join(NOISE.splitlines(keepends=True)[:15])
    oops = OOPS.format(at="zoo_null")
    (report,) = scan(console(oops, few, PANIC.format(why="Fatal exception")))
    assert report.panic == "Fatal exception"
    assert len(scan(console(oops, NOISE, PANIC.format(why="Fatal exception")))) == 2


def test_a_panic_for_a_reason_of_its_own_is_another_report() -> None:
    stream = console(WARN.format(at="zoo_warn"), PANIC.format(why="the zoo panics"))
    assert titles(stream) == ["WARNING in zoo_warn", "Kernel panic: the zoo panics"]
    survived = console(WARN.format(at="zoo_warn"), PANIC.format(why="Fatal exception"))
    assert titles(survived) == ["WARNING in zoo_warn", "Kernel panic: Fatal exception"]


def test_what_a_dying_kernel_adds_is_no_report_and_the_next_boot_counts_again() -> None:
    dying = console(PANIC.format(why="x"), NOISE, WARN.format(at="late"), start=9)
    assert titles(dying) == ["Kernel panic: x"]
    assert titles(dying + console(WARN.format(at="zoo_warn"), start=1)) == [
        "Kernel panic: x",
        "WARNING in zoo_warn",
    ]


def test_a_report_ends_where_the_next_begins() -> None:
    stream = console(WARN.format(at="zoo_a"), WARN.format(at="zoo_b"))
    first, second = scan(stream)
    assert (first.title, second.title) == ("WARNING in zoo_a", "WARNING in zoo_b")
    assert "zoo_b" not in first.text


def test_a_report_is_returned_as_soon_as_enough_other_lines_came() -> None:
    scanner = Scanner()
    assert scanner.feed(console(WARN.format(at="zoo_warn"))) == []
    assert scanner.open
    assert [r.title for r in scanner.feed(console(NOISE))] == ["WARNING in zoo_warn"]
    assert not scanner.open


def test_a_frame_left_on_the_stack_counts_only_if_there_is_no_other() -> None:
    stall = "rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:\nCall Trace:\n"
    left = " ? srso_return_thunk+0x5/0x10\n ? zoo_reader+0x4c/0x70 [zoo]\n"
    assert titles(console(stall, left)) == ["RCU stall in zoo_reader"]
    assert titles(console(stall, left, " zoo_write+0x1/0x2\n")) == ["RCU stall in zoo_write"]


def test_a_warning_in_the_slab_debugger_belongs_to_what_it_found() -> None:
    found = "BUG zoo (Tainted: G           OE     ): Object corrupt\nFreed in zoo_free+0x1/0x2\n"
    where = " zoo_slab+0x80/0xc0 [zoo]\n"
    dump = "Object   0000000081993bf4: 6b 6b 6b 6b 6b 6b 6b 6b  kkkkkkkk\n" * 8
    stream = console(found, where, dump, WARN.format(at="object_err"))
    assert titles(stream) == ["SLUB: Object corrupt in zoo_slab"]
    own = console(found, where, "Call Trace:\n", where, WARN.format(at="zoo_warn"))
    assert titles(own) == ["SLUB: Object corrupt in zoo_slab", "WARNING in zoo_warn"]


def test_the_headers_of_two_processors_between_each_other() -> None:
    header = WARN.splitlines(keepends=True)
    stream = console(
        header[0], header[0], header[1].format(at="zoo_a"), header[1].format(at="zoo_b")
    )
    assert titles(stream) == ["WARNING in zoo_a", "WARNING in zoo_b"]


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "<4>",
        "[    1.234567] ",
        "<4>[    1.234567] ",
        "[    1.234567][  T123] ",
        "[    1.234567][    C1] ",
    ],
)
def test_whatever_stands_before_each_line(prefix: str) -> None:
    lines = OOPS.format(at="zoo_null").splitlines()
    stream = "".join(f"{prefix}{line}\r\n" for line in lines).encode()
    assert titles(stream) == ["BUG: kernel NULL pointer dereference in zoo_null"]


def test_a_kernel_interrupts_a_half_written_line() -> None:
    stream = b"user space was here " + console(OOPS.format(at="zoo_null"))
    assert titles(stream) == ["BUG: kernel NULL pointer dereference in zoo_null"]


def test_half_a_report_at_the_end_counts() -> None:
    assert titles(b"[    1.000000] BUG: kernel NULL pointer dereference, addr") == [
        "BUG: kernel NULL pointer dereference"
    ]
    assert titles(console(CUT_HERE)) == ["report cut short"]


def test_nothing_comes_twice() -> None:
    scanner = Scanner()
    scanner.feed(console(OOPS.format(at="zoo_null")))
    assert len(scanner.finish()) == 1
    assert scanner.finish() == []


def test_endless_output_costs_constant_memory() -> None:
    endless = {
        "one line": b"x" * 65536,
        "one report": b"[    1.000000]  zoo_recursion+0x1/0x2 [zoo]\r\n" * 1500,
    }
    for piece in endless.values():
        scanner = Scanner()
        scanner.feed(console(OOPS.format(at="zoo_null")))
        tracemalloc.start()
        for _ in range(30):
            scanner.feed(piece)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000


def test_a_very_long_report_keeps_its_beginning_and_its_end() -> None:
    deep = " zoo_recursion+0x20/0x30 [zoo]\n" * 1000
    stream = console(OOPS.format(at="zoo_recursion"), deep, PANIC.format(why="Fatal exception"))
    (report,) = scan(stream)
    assert report.panic == "Fatal exception"
    assert report.text.startswith("BUG: ")
    assert report.text.endswith("Kernel Offset: disabled")
    assert "lines left out]" in report.text
    assert len(report.text.splitlines()) < 400
