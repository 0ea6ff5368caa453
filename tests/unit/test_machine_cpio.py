# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.machine import cpio

NAMES = st.from_regex(r"[a-zA-Z0-9_.+-]{1,30}", fullmatch=True).filter(
    lambda name: name not in (".", "..", "TRAILER!!!")
)
FILES = st.dictionaries(
    NAMES, st.tuples(st.binary(max_size=300), st.integers(0, 0o7).map(lambda n: 0o600 | n * 8))
)


def unpack(archive: bytes, into: Path) -> None:
    """The independent oracle is the cpio program."""
    subprocess.run(
        ["cpio", "-i", "-d", "-m", "--quiet", "--no-absolute-filenames"],
        input=archive,
        cwd=into,
        check=True,
    )


@settings(max_examples=25, deadline=None)
@given(FILES)
def test_what_cpio_unpacks_is_what_was_packed(files: dict[str, tuple[bytes, int]]) -> None:
    members = [cpio.directory("d", 0o711)]
    members += [cpio.regular(f"d/{name}", data, mode) for name, (data, mode) in files.items()]
    with tempfile.TemporaryDirectory() as directory:
        unpack(cpio.archive(members), Path(directory))
        found = {
            path.name: (path.read_bytes(), path.stat().st_mode & 0o7777)
            for path in (Path(directory) / "d").iterdir()
        }
        mode = (Path(directory) / "d").stat().st_mode
    assert found == files
    assert mode & 0o7777 == 0o711


def test_dated_1970_so_that_the_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    archive = cpio.archive([cpio.regular("f", b"x")])
    unpack(archive, tmp_path)
    assert (tmp_path / "f").stat().st_mtime == 0
    assert archive == cpio.archive([cpio.regular("f", b"x")])


@given(st.integers(0, 10_000))
def test_padding_aligns(size: int) -> None:
    pad = cpio.padding(size)
    assert (size + len(pad)) % cpio.ALIGNMENT == 0
    assert len(pad) < cpio.ALIGNMENT
    assert not any(pad)
