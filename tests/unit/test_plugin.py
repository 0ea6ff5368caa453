# SPDX-License-Identifier: BSD-2-Clause
"""Which tests run where, in which order, on a machine in which state."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from plugin_suite import Suite

pytest_plugins = ["pytester", "plugin_suite"]


def test_each_test_runs_in_each_cell(suite: Suite) -> None:
    result = suite.run(
        "def test_it(guest, lab_cell): assert lab_cell.cpus == 4",
        *("-v", "--lab-image", "all", "--lab-profile", "stock,seed", "--lab-cpus", "4"),
    )
    result.assert_outcomes(passed=4)
    cells = ["6.1/svm-tcg/stock", "6.1/svm-tcg/seed", "6.12/svm-tcg/stock", "6.12/svm-tcg/seed"]
    ran = re.findall(r"test_it\[(\S+)\] PASSED", result.stdout.str())
    assert ran == cells


def test_a_test_without_a_machine_has_no_cell(suite: Suite) -> None:
    result = suite.run("def test_it(): pass", "-v")
    result.stdout.fnmatch_lines(["test_it.py::test_it PASSED*"])
    result.stdout.no_fnmatch_line("*1 passed, *")


@pytest.mark.parametrize(
    ("arguments", "ran"),
    [
        (["--lab-kernel", "6.12*"], ["6.12"]),
        (["--lab-kernel", ">=6"], ["6.1", "6.12"]),
        (["--lab-kernel", "6.1, 6.12"], ["6.1", "6.12"]),
        (["--lab-kernel", "<6.6", "--lab-image", "debian-12"], ["6.1"]),
        ([], ["6.1"]),
    ],
)
def test_kernels_choose_images(suite: Suite, arguments: list[str], ran: list[str]) -> None:
    result = suite.run("def test_it(guest): pass", "-v", *arguments)
    assert re.findall(r"\[(\S+)/svm-tcg/seed\] PASSED", result.stdout.str()) == ran


@pytest.mark.parametrize(
    ("fixtures", "state"),
    [
        ("booted", "booted"),
        ("console", "booted"),
        ("guest", "guest"),
        ("host", "guest"),
        ("module_loaded", "module_loaded"),
        ("guest, module_loaded, booted", "module_loaded"),
    ],
)
def test_a_test_gets_the_furthest_state_it_names(suite: Suite, fixtures: str, state: str) -> None:
    suite.run(f"def test_it({fixtures}): pass").assert_outcomes(passed=1)
    assert suite.machines == [f"boot 6.1/svm-tcg/seed {state}", "close"]


def test_every_test_gets_its_machine_clean(suite: Suite) -> None:
    suite.run("def test_a(guest): pass\ndef test_b(guest): assert 0")
    first, second, *kept, last = suite.machines
    assert (first, second, last) == (
        "boot 6.1/svm-tcg/seed guest",
        "restore 6.1/svm-tcg/seed guest",
        "close",
    )
    assert kept == ["keep test_it-test_b[6.1/svm-tcg/seed]: failed: assert 0"]


def test_dbos_has_a_checked_hello_and_runs_programs(suite: Suite) -> None:
    result = suite.run(
        """
def test_a(dbos):
    assert (dbos.hello.cpl, dbos.hello.syscalls) == (0, 13)
    assert dbos.run("threads", 8, "a b").command == "/lab/threads 8 'a b'"
def test_b(dbos): pass
"""
    )
    result.assert_outcomes(passed=2)
    assert len([line for line in suite.machines if "module_loaded" in line]) == 3  # hello, a, b


def test_a_hello_that_fails_is_run_once(suite: Suite) -> None:
    result = suite.run(
        """
import fake_lab
fake_lab.HELLO = "hello: something is wrong"
def test_a(dbos): pass
def test_b(dbos): pass
"""
    )
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines(["*failed*test_b*hello ended without saying*"])
    assert len([line for line in suite.machines if "module_loaded" in line]) == 1


def test_one_machine_serves_many_in_a_row(suite: Suite) -> None:
    """Cell by cell; last the tests after which a machine is gone."""
    result = suite.run(
        """
@pytest.mark.lab_expect_panic("sysrq")
def test_panic(guest): guest.panic()
def test_a(guest): pass
@pytest.mark.lab_boot("stock")
def test_stock(guest): pass
def test_plain(): pass
@pytest.mark.lab_together
def test_first(guest): pass
""",
        *("-v", "--lab-profile", "seed,stock"),
    )
    ran = re.findall(r"::(\S+) PASSED", result.stdout.str())
    assert [name.replace("6.1/svm-tcg/", "") for name in ran] == [
        "test_plain",
        "test_first[seed]",
        "test_a[seed]",
        "test_panic[seed]",
        "test_first[stock]",
        "test_a[stock]",
        "test_stock[stock]",
        "test_panic[stock]",
    ]


def test_console_begins_where_the_test_begins(suite: Suite) -> None:
    suite.run(
        """
def test_it(guest, console):
    guest.say("hello\\n")
    assert console.read_new() == b"hello\\n"
"""
    ).assert_outcomes(passed=1)


def test_results_lie_in_the_machines_directory(suite: Suite) -> None:
    suite.run(
        """
def test_it(booted, results_dir):
    assert results_dir.is_dir()
    assert results_dir == booted.machine.directory / "results/test_it-test_it-6.1-svm-tcg-seed"
"""
    ).assert_outcomes(passed=1)


def test_seeds_are_the_tests_own_and_come_from_one(suite: Suite) -> None:
    text = "def test_a(guest, seed): print('seed', seed)\ndef test_b(guest, seed): print(seed + 0)"
    first = suite.run(text, "-s").stdout.str()
    again = suite.run(text, "-s", "-k", "test_a").stdout.str()
    other = suite.run(text, "-s", "--lab-seed", "6").stdout.str()
    seeds = [
        re.search(r"seed (\d+)$", out.partition("test_it.py")[2], re.M)
        for out in (first, again, other)
    ]
    one, two, three = (found[1] for found in seeds if found)
    assert one == two != three


def test_the_header_says_what_results_are_worth(suite: Suite) -> None:
    result = suite.run("def test_it(): pass", "--lab-image", "all")
    result.stdout.fnmatch_lines(
        [
            "lab: debian-12 9466616a0da193e3 (kernel 6.1.0-56-amd64) on svm-tcg, "
            "debian-13, not built yet, on svm-tcg; profiles seed; seed 5"
        ]
    )


def test_a_stranger_called_guest_does_no_harm(suite: Suite) -> None:
    result = suite.run(
        """
@pytest.fixture
def guest(): return "somebody else's"
def test_it(guest): assert False
"""
    )
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*again:*")


@pytest.mark.parametrize("distribution", ["load", "loadgroup"])
def test_xdist_workers_have_their_own_machines(suite: Suite, distribution: str) -> None:
    result = suite.run(
        "def test_a(guest): pass\ndef test_b(guest): guest.warn()\ndef test_c(guest): pass",
        *("-n", "2", "--dist", distribution, "--lab-profile", "seed,stock"),
    )
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(["lab: debian-12 *seed 5", "4 passed, 2 splat"])
    again = re.findall(r"again: pytest '(\S+)'", result.stdout.str())
    assert sorted(again) == [
        f"test_it.py::test_b[6.1/svm-tcg/{name}]" for name in ("seed", "stock")
    ]


def test_nothing_heavy_is_imported_for_help_or_a_suite_without_machines() -> None:
    """Fabric alone takes half a second."""
    code = (
        "import sys, pytest; status = pytest.main(sys.argv[1:]);"
        "heavy = {'fabric', 'paramiko', 'jinja2', 'lab.lab', 'lab.verdict.verdict'};"
        "heavy &= set(sys.modules);"
        "sys.exit(str(heavy) if heavy else int(status))"
    )
    for arguments in (["--help"], ["--collect-only", "-q", "tests/unit/test_session_kernel.py"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
