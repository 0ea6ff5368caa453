# SPDX-License-Identifier: BSD-2-Clause
"""Cache entries: complete or absent, whoever dies when."""

from __future__ import annotations

import errno
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.errors import LabError, Status
from lab.image.store import content_key, ensure_entry


def silent(_note: str) -> None:
    pass


def test_entry_is_filled_once(tmp_path: Path) -> None:
    entry = tmp_path / "a" / "entry"
    fills: list[Path] = []

    def fill(partial: Path) -> None:
        assert not entry.exists()
        fills.append(partial)
        (partial / "file").write_text("content")

    ensure_entry(entry, fill, silent)
    ensure_entry(entry, fill, silent)
    assert (entry / "file").read_text() == "content"
    assert len(fills) == 1
    assert not fills[0].exists()


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError])
def test_failed_fill_leaves_nothing_but_the_lock(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    def fill(partial: Path) -> None:
        (partial / "half").write_text("half")
        (partial / "read-only").mkdir(mode=0o500)
        raise failure

    with pytest.raises(failure):
        ensure_entry(tmp_path / "entry", fill, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["entry.lock"]


def test_what_a_killed_process_left_is_not_used(tmp_path: Path) -> None:
    partial = tmp_path / "entry.partial"
    partial.mkdir()
    (partial / "half").write_text("half")
    ensure_entry(tmp_path / "entry", lambda path: (path / "new").touch(), silent)
    assert [path.name for path in (tmp_path / "entry").iterdir()] == ["new"]
    assert not partial.exists()


def test_second_one_waits_says_so_and_uses_the_firsts_work(tmp_path: Path) -> None:
    entry = tmp_path / "entry"
    filling, told = threading.Event(), threading.Event()
    fills: list[int] = []

    def slow(partial: Path) -> None:
        fills.append(1)
        filling.set()
        assert told.wait(10)
        (partial / "file").touch()

    def second_report(note: str) -> None:
        assert "waiting" in note
        told.set()

    first = threading.Thread(target=ensure_entry, args=(entry, slow, silent))
    first.start()
    assert filling.wait(10)
    ensure_entry(entry, lambda _partial: fills.append(2), second_report)
    first.join(10)
    assert fills == [1]
    assert told.is_set()
    assert (entry / "file").exists()


@pytest.mark.parametrize(
    ("number", "word"),
    [(errno.ENOSPC, "full"), (errno.EDQUOT, "full"), (errno.EACCES, "cannot be written")],
)
def test_disk_errors_are_sentences(tmp_path: Path, number: int, word: str) -> None:
    def fill(_partial: Path) -> None:
        raise OSError(number, "as the kernel says", "file")

    with pytest.raises(LabError) as caught:
        ensure_entry(tmp_path / "entry", fill, silent)
    assert caught.value.status is Status.IMAGE
    assert word in caught.value.message
    assert not (tmp_path / "entry.partial").exists()


def test_cache_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LabError, match="cannot be written"):
        ensure_entry(tmp_path / "file" / "cache" / "entry", lambda _partial: None, silent)


@given(st.lists(st.binary(max_size=8), max_size=4), st.lists(st.binary(max_size=8), max_size=4))
def test_keys_differ_when_parts_do(one: list[bytes], other: list[bytes]) -> None:
    assert (content_key(one) == content_key(other)) == (one == other)
