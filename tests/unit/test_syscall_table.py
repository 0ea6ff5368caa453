# SPDX-License-Identifier: BSD-2-Clause
"""The table of system calls: every number of the kernel's header, under its name, once."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "libdbos/src/sys/syscalls.def"
CHECKER = ROOT / "tests/guest/check-syscalls"

NESTING = re.compile(r"\w+(?:\([^()]*\))?")


def entries() -> list[tuple[int, str, str, list[str]]]:
    """Number, name, class and arguments of each line."""
    return [
        (int(number), name, kind, NESTING.findall(arguments))
        for number, name, kind, arguments in re.findall(
            r"^CALL\((\d+), (\w+), (\w+)(.*)\)$", TABLE.read_text(), re.M
        )
    ]


def check(header: str, table: Path = TABLE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", CHECKER, table], input=header, capture_output=True, text=True, check=False
    )


def installed_header() -> str:
    return subprocess.run(
        ["cc", "-E", "-dM", "-include", "asm/unistd_64.h", "-xc", "/dev/null"],
        capture_output=True,
        check=True,
        text=True,
    ).stdout


def test_the_installed_header_has_no_number_that_the_table_lacks() -> None:
    assert len(re.findall(r"__NR_", installed_header())) > 300
    checked = check(installed_header())
    assert (checked.returncode, checked.stdout) == (0, "")


def test_a_new_number_and_a_changed_one_are_noticed() -> None:
    checked = check("#define __NR_read 0\n#define __NR_new_call 999\n#define __NR_write 7\n")
    assert checked.returncode == 1
    assert re.findall(r"\d+ \w+", checked.stdout) == ["999 new_call", "7 write"]


def test_a_missing_line_is_noticed(tmp_path: Path) -> None:
    shorter = tmp_path / "syscalls.def"
    shorter.write_text(TABLE.read_text().replace("CALL(9, mmap,", "CALL(9, map,"))
    assert "9 mmap" in check(installed_header(), shorter).stdout


def test_numbers_rise_and_every_line_is_read() -> None:
    numbers = [number for number, *_ in entries()]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == TABLE.read_text().count("\nCALL(")


def test_counts_name_an_argument_that_is_there() -> None:
    for number, name, kind, arguments in entries():
        assert kind in {"PASS", "OURS", "REFUSE"}, name
        assert len(arguments) <= 6, name
        for position, argument in enumerate(arguments):
            count = re.search(r"\((\d)", argument)
            if not count:
                continue
            counter = int(count[1])
            assert counter < len(arguments) and counter != position, (number, name)
            # A value says how many, except where it is behind a pointer.
            expected = "IO(int)" if argument.startswith("OUT_AT") else "V"
            assert arguments[counter] == expected, (number, name)
