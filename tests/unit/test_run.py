# SPDX-License-Identifier: BSD-2-Clause
import pytest

from lab.errors import LabError, Status
from lab.machines import kernel_complaints
from lab.run import parse_hello

GOOD = """privilege: CPL 0, CR3 0x1000, CPU AuthenticAMD, backend dune/svm
hello: ok, CPL 0, 13 system calls by proxy, 110 world switches
"""


def test_reads_the_last_line() -> None:
    report = parse_hello(GOOD)
    assert (report.cpl, report.syscalls, report.world_switches) == (0, 13, 110)
    assert report.output.startswith("privilege")


@pytest.mark.parametrize("output", ["", "hello: ok\n", GOOD.replace("ok, ", ""), GOOD[:-5]])
def test_anything_else_is_a_failure_that_shows_it(output: str) -> None:
    with pytest.raises(LabError) as raised:
        parse_hello(output)
    assert raised.value.status is Status.FAILED
    assert raised.value.detail == output


LOG = "[    1.0] Linux version 6.1\n[    2.0] dune: loaded\n"


@pytest.mark.parametrize(
    "line",
    [
        "[    3.0] WARNING: CPU: 1 PID: 9 at kern/memory.c:12 zap+0x1/0x2 [dune]",
        "[    3.0] BUG: unable to handle page fault for address: ffff",
        "[    3.0] Oops: 0000 [#1] PREEMPT SMP",
        "[    3.0] general protection fault, probably for non-canonical address",
        "[    3.0] INFO: task threads:99 blocked for more than 20 seconds.",
    ],
)
def test_a_new_complaint_is_found_with_all_that_follows(line: str) -> None:
    after = f"{LOG}{line}\n[    3.1] RIP: 0010:zap\n"
    assert kernel_complaints(LOG, after) == f"{line}\n[    3.1] RIP: 0010:zap"


def test_old_complaints_and_harmless_lines_are_not() -> None:
    old = LOG + "[    3.0] WARNING: CPU: 1\n"
    assert kernel_complaints(old, old + "[    4.0] dune: unloaded\n") == ""
