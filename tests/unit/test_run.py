# SPDX-License-Identifier: BSD-2-Clause
import pytest

from lab.errors import LabError, Status
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
