# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.verdict.kernel_log import (
    Record,
    complaints,
    news,
    parse,
    read_command,
    render,
    without_quotations,
)
from lab.verdict.scanner import scan

KMSG = r"""6,368,5994812,-;clocksource: tsc\x3a a \x5c and \xc3\xa9
 SUBSYSTEM=pci
 DEVICE=+pci:0000:00:1f.2
4,369,6056637,-,caller=T1;hrtimer: interrupt took 268465460 ns
12,370,6100000,-;two\x0alines
15,371,6200000,-;dbos-lab: end of the kernel log x7
"""


def record(sequence: int, text: str = "", facility: int = 0) -> Record:
    return Record(facility, 4, sequence, 1_000_000 * sequence, text)


def test_records_are_read_with_their_escapes_and_without_their_properties() -> None:
    assert parse(KMSG) == (
        Record(0, 6, 368, 5994812, "clocksource: tsc: a \\ and é"),
        Record(0, 4, 369, 6056637, "hrtimer: interrupt took 268465460 ns"),
        Record(1, 4, 370, 6100000, "two\nlines"),
    )


def test_a_line_cut_by_the_reader_is_no_record() -> None:
    assert parse("368,59948") == ()
    assert parse("") == ()


def test_each_line_is_rendered_with_the_time_as_on_the_console() -> None:
    assert render(parse(KMSG)).splitlines()[-2:] == [
        "[    6.100000] two",
        "[    6.100000] lines",
    ]


def test_news_are_what_came_later() -> None:
    before = [record(1), record(2)]
    after = [record(n) for n in range(1, 5)]
    assert news(before, after).records == (record(3), record(4))
    assert news(before, after).lost == 0
    assert news([], after).records == tuple(after)
    assert news(after, after).records == ()


def test_news_survive_a_ring_buffer_that_wrapped_around() -> None:
    fresh = news([record(1), record(2)], [record(9), record(10)])
    assert fresh.records == (record(9), record(10))
    assert fresh.lost == 6
    assert news([record(1), record(2)], [record(3)]).lost == 0
    assert news([record(1)], []).lost == 0


def test_only_the_kernel_can_complain() -> None:
    text = "BUG: kernel NULL pointer dereference, address: 0"
    assert [r.title for r in complaints([record(1, text)])] == [
        "BUG: kernel NULL pointer dereference"
    ]
    assert complaints([record(1, text, facility=1)]) == ()


def test_a_report_over_several_records_is_one() -> None:
    lines = ["WARNING: CPU: 0 PID: 1 at a.c:1 zoo_warn+0x1/0x2 [zoo]", "Call Trace:\n <TASK>"]
    (report,) = complaints(record(n, line) for n, line in enumerate(lines))
    assert report.title == "WARNING in zoo_warn"
    assert report.text.splitlines() == [lines[0], "Call Trace:", " <TASK>"]


def test_what_user_space_quotes_on_the_console_is_dropped_and_the_kernels_words_stay() -> None:
    text = "Kernel panic - not syncing: said by a program"
    console = scan(f"[    1.000000] {text}\r\n".encode())
    assert len(console) == 1
    assert without_quotations(console, [record(1, text, facility=1)]) == ()
    assert without_quotations(console, [record(1, text)]) == console


def test_the_guest_command_stops_at_its_own_mark(tmp_path: Path) -> None:
    fifo = tmp_path / "kmsg"
    os.mkfifo(fifo)
    written = tmp_path / "written"
    script = read_command("fresh").replace(">/dev/kmsg", f">>{written}")
    mark = "15,3,0,-;dbos-lab: end of the kernel log fresh"
    stale = mark.replace("fresh", "stale")
    quoted = f"6,2,0,-;echo {mark}"
    end_open = os.open(fifo, os.O_RDWR)  # so that the reader finds no end, as in /dev/kmsg
    try:
        os.write(end_open, f"{stale}\n{quoted}\n{mark}\n{mark}\n".encode())
        done = subprocess.run(
            ["sh", "-c", script.replace("/dev/kmsg", str(fifo))],
            check=True,
            capture_output=True,
            text=True,
            timeout=20,
        )
    finally:
        os.close(end_open)
    assert done.stdout.splitlines() == [stale, quoted, mark]
    assert written.read_text().splitlines() == ["<15>dbos-lab: end of the kernel log fresh"] * 2
