# SPDX-License-Identifier: BSD-2-Clause
"""Programs enter from wherever the kernel has put their parts."""

import pytest

from lab.guest import Guest
from lab.run import parse_hello

PROGRAMS = ["hello", "hello-no-pie", "hello-static", "hello-static-pie"]

AS = {
    "aslr": "{program}",
    "no-aslr": (
        "echo 0 >/proc/sys/kernel/randomize_va_space; {program}; status=$?;"
        "echo 2 >/proc/sys/kernel/randomize_va_space; exit $status"
    ),
    "unlimited-stack": "ulimit -s unlimited; {program}",
    "legacy": (
        "echo 1 >/proc/sys/vm/legacy_va_layout; {program}; status=$?;"
        "echo 0 >/proc/sys/vm/legacy_va_layout; exit $status"
    ),
}


@pytest.mark.parametrize("layout", AS)
@pytest.mark.parametrize("program", PROGRAMS)
def test_hello_in_every_layout(module_loaded: Guest, program: str, layout: str) -> None:
    ran = module_loaded.run(AS[layout].format(program=f"/lab/{program}"), check=True)
    assert parse_hello(ran.text).cpl == 0
