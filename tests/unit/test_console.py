# SPDX-License-Identifier: BSD-2-Clause
from __future__ import annotations

import threading
import time
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from lab.console import Console, MarkerScanner, plain

MARKERS = (b"ready", b"ready: no", b"ad")
ALPHABET = st.sampled_from([b"r", b"e", b"a", b"d", b"y", b":", b" ", b"no", b"\n", b"\xff"])


def first_complete(stream: bytes) -> bytes | None:
    """The oracle: cut the stream after each byte and see which marker ends there."""
    for end in range(len(stream) + 1):
        for marker in MARKERS:
            if stream[:end].endswith(marker):
                return marker
    return None


@given(st.lists(ALPHABET, max_size=40).map(b"".join), st.data())
def test_the_marker_found_does_not_depend_on_how_the_stream_was_cut(
    stream: bytes, data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)))))
    edges = [0, *cuts, len(stream)]
    scanner = MarkerScanner(MARKERS)
    found = None
    for start, end in pairwise(edges):
        found = found or scanner.feed(stream[start:end])
    assert found == first_complete(stream)


def test_what_is_complete_first_is_found_first() -> None:
    assert MarkerScanner(MARKERS).feed(b"ready: no") == b"ad"


def test_a_marker_in_single_bytes() -> None:
    scanner = MarkerScanner((b"dbos-lab: ready",))
    answers = [scanner.feed(bytes([byte])) for byte in b"\xffdbos-lab: dbos-lab: ready"]
    assert answers[-1] == b"dbos-lab: ready"
    assert not any(answers[:-1])


def test_waiting_for_a_file_that_does_not_exist_yet(tmp_path: Path) -> None:
    path = tmp_path / "console"

    def write() -> None:
        time.sleep(0.05)
        with path.open("wb") as file:
            for piece in (b"xx rea", b"dy", b" more"):
                file.write(piece)
                file.flush()
                time.sleep(0.05)

    writer = threading.Thread(target=write)
    writer.start()
    assert Console(path).wait_for((b"ready",), 5.0, lambda: True) == b"ready"
    writer.join()


def test_a_dead_machine_ends_the_wait_but_its_last_words_count(tmp_path: Path) -> None:
    path = tmp_path / "console"
    path.write_bytes(b"init failed: x")
    begun = time.monotonic()
    assert Console(path).wait_for((b"ready",), 30.0, lambda: False) is None
    assert time.monotonic() - begun < 5

    alive = [True, False]

    def dies_after_writing() -> bool:
        path.write_bytes(b"init failed: x" + (b"" if alive[0] else b" ready"))
        return alive.pop(0)

    assert Console(path).wait_for((b"ready",), 30.0, dies_after_writing) == b"ready"


def test_the_wait_has_an_end(tmp_path: Path) -> None:
    begun = time.monotonic()
    assert Console(tmp_path / "none").wait_for((b"x",), 0.1, lambda: True) is None
    assert 0.1 <= time.monotonic() - begun < 5


def test_read_new_gives_each_byte_once(tmp_path: Path) -> None:
    path = tmp_path / "console"
    console = Console(path)
    assert console.read_new() == b""
    path.write_bytes(b"one")
    assert console.read_new() == b"one"
    path.write_bytes(b"one two")
    assert console.read_new() == b" two"
    assert console.read_new() == b""


def test_tail_takes_the_last_lines_and_cleans_them(tmp_path: Path) -> None:
    path = tmp_path / "console"
    path.write_bytes(b"".join(b"\x1b[31mline %d\x1b[0m\r\n" % n for n in range(10_000)))
    assert Console(path).tail(2) == "line 9998\nline 9999"
    assert Console(tmp_path / "none").tail() == ""


@given(st.binary(max_size=200))
def test_plain_text_has_no_control_characters(data: bytes) -> None:
    assert all(char in "\n\t" or char.isprintable() or ord(char) > 0x9F for char in plain(data))


def test_plain_text_keeps_what_is_readable() -> None:
    assert plain(b"\x1b]0;title\x07a\tb\x1b[1;31mred\x1b[0m \xc3\xa9\r\n\x00") == "a\tbred é\n"
    assert plain(b"\xc2\x9b31m") == "31m"  # the escape's other spelling
