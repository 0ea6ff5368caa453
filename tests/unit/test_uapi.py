# SPDX-License-Identifier: BSD-2-Clause
"""The interface, its document and its assertions say the same; and how that is found out."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lab.errors import LabError
from lab.uapi.document import COMMAND, HEADER, generated, layout_header, with_tables
from lab.uapi.header import Field, Structure, read

ROOT = Path(__file__).resolve().parents[2]

SAMPLE = """\
/* Grows. */
#define DUNE_API_VERSION 7

enum dune_colour {
	/* As the sky. */
	DUNE_BLUE = 1,
	DUNE_RED = 2,	/* as a rose */
	DUNE_GREY = 3,
};

struct dune_inner {
	__u8 small;	/* first */
	__u8 pad[3];
	__u32 other;
};

/*
 * DUNE_PAINT, the brush: paints with
 * the struct.
 */
struct dune_outer {
	__u64 a, b;	/* two */
	/* alone, and
	* on two lines */
	struct dune_inner inner;
	union {
		struct {
			__u16 x;
			__u8 y, z;
		} point;
		__u64 space[2];
	};
	__u32 last;
};

/*
 * DUNE_WAIT: until it is dry.
 */
#define DUNE_IOCTL_TYPE 0xdb
#define DUNE_WET (1u << 3)	/* a | b */
#define DUNE_PAINT _IOWR(DUNE_IOCTL_TYPE, 0x05, struct dune_outer)
#define DUNE_WAIT  _IO(DUNE_IOCTL_TYPE, 0x10)	/* argument 0 */
"""
PLACES = "\n".join(
    f"{name}:\n<!-- {name} -->\nold\n<!-- end of {name} -->"
    for name in ("requests", "structures", "constants")
)


@pytest.mark.parametrize("path", ["docs/uapi.md", "kern/uapi/layout.h"])
def test_the_tree_is_of_one_mind(path: str) -> None:
    wanted = generated(ROOT)[Path(path)]
    assert (ROOT / path).read_text() == wanted, f"kern/uapi/dune.h has changed: {COMMAND}"


def test_no_structure_has_a_hole() -> None:
    for structure in read((ROOT / HEADER).read_text()).structures:
        assert holes(structure) == [], f"struct {structure.name} needs padding by hand there"


def holes(structure: Structure) -> list[int]:
    used = {
        byte
        for field in structure.fields
        for byte in range(field.offset, field.offset + field.size)
    }
    return [byte for byte in range(structure.size) if byte not in used]


def test_request_numbers_are_used_once() -> None:
    numbers = [request.number & 0xFF for request in read((ROOT / HEADER).read_text()).requests]
    assert len(set(numbers)) == len(numbers) > 5


def test_fields_are_read_with_their_place_and_meaning() -> None:
    inner, outer = read(SAMPLE).structures
    assert (inner.size, outer.size) == (8, 48)
    assert inner.fields == (
        Field("small", "__u8", 0, 1, "first"),
        Field("pad", "__u8[3]", 1, 3, ""),
        Field("other", "__u32", 4, 4, ""),
    )
    assert outer.fields == (
        Field("a", "__u64", 0, 8, "two"),
        Field("b", "__u64", 8, 8, "two"),
        Field("inner", "struct dune_inner", 16, 8, "alone, and on two lines"),
        Field("point.x", "__u16", 24, 2, ""),
        Field("point.y", "__u8", 26, 1, ""),
        Field("point.z", "__u8", 27, 1, ""),
        Field("space", "__u64[2]", 24, 16, ""),
        Field("last", "__u32", 40, 4, ""),
    )
    assert holes(outer) == [44, 45, 46, 47]


def test_requests_and_constants_are_read() -> None:
    header = read(SAMPLE)
    paint, wait = header.requests
    assert (paint.number, paint.direction, paint.argument) == (0xC030DB05, "_IOWR", "dune_outer")
    assert (wait.number, wait.meaning) == (0x0000DB10, "argument 0")
    assert header.prose["DUNE_PAINT"] == "DUNE_PAINT, the brush: paints with the struct."
    assert [(c.name, c.value, c.meaning) for c in header.enums["dune_colour"]] == [
        ("DUNE_BLUE", "1", "As the sky."),
        ("DUNE_RED", "2", "as a rose"),
        ("DUNE_GREY", "3", ""),
    ]
    assert ("DUNE_WET", "1u << 3") in [(c.name, c.value) for c in header.macros]


def test_only_the_tables_are_replaced() -> None:
    document = with_tables(f"before\n{PLACES}\nafter\n", read(SAMPLE))
    assert document.startswith("before\n")
    assert document.endswith("\nafter\n")
    assert "old" not in document
    assert with_tables(document, read(SAMPLE)) == document
    assert "**`DUNE_WAIT`**: argument 0. until it is dry." in document
    assert "| `DUNE_PAINT` | `/dev/dune` | `0xc030db05` | in, out | `struct dune_outer` | 48 |" in (
        document
    )
    assert "a \\| b" in document


def test_a_document_without_a_place_is_refused() -> None:
    with pytest.raises(LabError, match="no place for the requests"):
        with_tables("nothing\n", read(SAMPLE))


def test_a_type_whose_size_nobody_knows_is_refused() -> None:
    with pytest.raises(LabError, match="struct timespec"):
        read(SAMPLE.replace("struct dune_inner inner", "struct timespec inner"))


@pytest.mark.skipif(shutil.which("cc") is None, reason="the guests' compilers do it, at each build")
def test_the_hosts_compiler_agrees_and_notices_a_moved_field(tmp_path: Path) -> None:
    header = (ROOT / HEADER).read_text()
    (tmp_path / "layout.h").write_text(layout_header(read(header)))
    (tmp_path / "dune.h").write_text(header)
    assert compiled(tmp_path) == ""
    moved = header.replace("\t__u64 gpa;\n\t__u64 size;\n", "\t__u64 size;\n\t__u64 gpa;\n", 1)
    (tmp_path / "dune.h").write_text(moved)
    assert "dune_slot.gpa is not where docs/uapi.md says" in compiled(tmp_path)


def compiled(directory: Path) -> str:
    done = subprocess.run(
        ["cc", "-std=c11", "-Wall", "-fsyntax-only", "-xc", "-"],
        input='#include "layout.h"\n',
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr
