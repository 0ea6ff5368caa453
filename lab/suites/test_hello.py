# SPDX-License-Identifier: BSD-2-Clause
"""What a privileged process can do, one right per test. tests/guest/hello.c checks; we look."""

import re

import pytest

from lab.guest import Guest
from lab.run import parse_hello
from lab.session.backend import Backend


@pytest.fixture
def output(module_loaded: Guest) -> str:
    """Run hello and return what it prints."""
    return module_loaded.run("/lab/hello", check=True).text


def line(output: str, name: str) -> str:
    """Return the line of that step; its absence is a failure."""
    found = re.search(rf"^{name}: (.*)$", output, re.M)
    assert found, f"hello says nothing of {name}:\n{output}"
    return found[1]


def test_runs_at_cpl_0_with_a_page_table_of_its_own(backend: Backend) -> None:
    output = backend.run("/lab/hello", check=True).text
    said = re.fullmatch(
        r"CPL 0, CR3 (0x[0-9a-f]+), CPU (\w+), backend (\w+)/(\w+)", line(output, "privilege")
    )
    assert said
    assert int(said[1], 16) % 4096 == 0
    assert said[3] == backend.name
    assert (said[2], said[4]) in {("AuthenticAMD", "svm"), ("GenuineIntel", "vmx")}


def test_makes_system_calls(output: str) -> None:
    assert re.match(r"pid [1-9]\d*, parent [1-9]\d*, in /", line(output, "syscalls"))


def test_recovers_from_a_divide_error(output: str) -> None:
    assert "delivered to our handler" in line(output, "divide error")


def test_recovers_from_a_page_fault(output: str) -> None:
    assert "repaired and retried" in line(output, "page fault")


def test_edits_its_page_table_without_an_exit(output: str) -> None:
    assert line(output, "page table").endswith("'A' became 'B', without an exit")


def test_comes_back(backend: Backend) -> None:
    report = parse_hello(backend.run("/lab/hello", check=True).text)
    assert report.cpl == 0
    assert report.syscalls > 5
    assert report.world_switches >= report.syscalls


def test_classic_dune_programs_run_unchanged(backend: Backend) -> None:
    said = backend.run("/lab/classic", check=True).text
    assert said == "classic: ok, 1 divide error, 1 page fault, 3 system calls handled\n"


def test_without_the_module_it_says_what_is_missing(guest: Guest) -> None:
    failed = guest.run("/lab/hello")
    assert failed.status == 1
    assert b"dbos_init(): No such file or directory" in failed.stderr
