# SPDX-License-Identifier: BSD-2-Clause
"""Symbols and lines of a small relocatable file, as a module is one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from lab.crash.decode import Place, describe, locate, parse_addr2line
from lab.crash.stack import Frame, Trace

# Two functions of one name in one file, as static functions in C may have; another section.
SOURCE = """\
	.text
	nop
	.type f,@function
f:
	nop
	call g
	ret
	.size f, .-f
	.section .init.text,"ax"
	.type g,@function
g:
	nop
	ret
	.size g, .-g
"""
F_SIZE = 7  # nop, call, ret


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "m.s").write_text(SOURCE)
    subprocess.run(["as", "-g", "-o", "m.ko", "m.s"], cwd=tmp_path, check=True)
    return tmp_path / "m.ko"


def lines(places: tuple[Place, ...]) -> list[int]:
    return [place.line for place in places]


def test_an_instruction_has_the_line_it_is_on(module: Path) -> None:
    assert lines(locate(Frame("f", 0, 16, "m", is_return=False), module)) == [5]
    assert lines(locate(Frame("f", 6, 16, "m", is_return=False), module)) == [7]


def test_a_return_address_has_the_line_of_the_call_before_it(module: Path) -> None:
    assert lines(locate(Frame("f", 6, 16, "m"), module)) == [6]


def test_a_symbol_in_another_section(module: Path) -> None:
    [place] = locate(Frame("g", 1, 2, "m", is_return=False), module)
    assert (Path(place.file).name, place.line) == ("m.s", 13)


def test_what_is_not_there_is_not_guessed(module: Path, tmp_path: Path) -> None:
    assert locate(Frame("h", 0, 16, "m"), module) == ()
    assert locate(Frame("f", 0, F_SIZE - 1, "m"), module) == ()  # another f: this one is larger
    assert locate(Frame("f", 0, 16, "m"), tmp_path / "none.ko") == ()
    (tmp_path / "text.ko").write_text("no ELF file")
    assert locate(Frame("f", 0, 16, "m"), tmp_path / "text.ko") == ()


def test_without_dwarf_there_are_no_lines(module: Path) -> None:
    subprocess.run(["strip", "--strip-debug", str(module)], check=True)
    assert locate(Frame("f", 0, 16, "m"), module) == ()


def test_of_two_symbols_with_one_name_the_size_decides(tmp_path: Path) -> None:
    for name, body in (("a", "nop\n" * 3), ("b", "nop\n" * 9)):
        text = f'.section .text.{name},"ax"\nf:\n{body}.size f, .-f\n'
        (tmp_path / f"{name}.s").write_text(text)
        subprocess.run(["as", "-g", "-o", f"{name}.o", f"{name}.s"], cwd=tmp_path, check=True)
    subprocess.run(["ld", "-r", "-o", "m.ko", "a.o", "b.o"], cwd=tmp_path, check=True)
    [place] = locate(Frame("f", 1, 9, "m", is_return=False), tmp_path / "m.ko")
    assert place.file.endswith("b.s")
    [place] = locate(Frame("f", 1, 4, "m", is_return=False), tmp_path / "m.ko")
    assert place.file.endswith("a.s")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/src/kern/vm.c", "kern/vm.c"),
        ("/usr/src/linux-headers-6.1.0-56-common/include/linux/list.h", "include/linux/list.h"),
        ("./arch/x86/include/asm/bitops.h", "arch/x86/include/asm/bitops.h"),
    ],
)
def test_places_are_named_from_where_the_reader_stands(path: str, shown: str) -> None:
    [place] = parse_addr2line(f"f\n{path}:12 (discriminator 3)\n")
    assert str(place) == f"{shown}:12"


def test_unknown_places_are_left_out() -> None:
    assert parse_addr2line("??\n??:0\nf\n??:?\ng\na.c:?\nh\na.c:0\n") == ()
    assert parse_addr2line("") == ()


def test_a_stack_with_file_and_line(module: Path) -> None:
    frames = (
        Frame("g", 1, 2, "m", is_return=False),
        Frame("f", 6, 16, "m", reliable=False),
        Frame("f", 6, 16, "m"),
        Frame("vfs_write", 5, 9),
    )
    text = describe(Trace("BUG: x", "CPU: 0", frames, "90 <c3>"), {"m": module})
    assert [line.split("/")[-1] for line in text.splitlines()] == [
        "BUG: x",
        "CPU: 0",
        "m.s:13",
        "0x10 [m]",
        "m.s:6",
        "0x9",
        "  code: 90 <c3>",
    ]
