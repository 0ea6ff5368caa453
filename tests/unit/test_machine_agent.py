# SPDX-License-Identifier: BSD-2-Clause
"""The lab's half of the line to the agent; the guest's half is played by a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from lab.errors import LabError, Status
from lab.machine import agent
from lab.machine.agent import AgentLine, Canary, differences

TOKEN = "00112233aabbccdd"

Serve = Callable[[Callable[[list[str]], str]], AgentLine]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a guest that answers each request with what the given function makes of its words."""
    ours, theirs = socket.socketpair()
    line = AgentLine(ours)

    def play(answer: Callable[[list[str]], str]) -> None:
        with theirs, theirs.makefile("r") as requests:
            for request in requests:
                if request.strip():
                    theirs.sendall(answer(request.split()).encode())

    def start(answer: Callable[[list[str]], str]) -> AgentLine:
        threading.Thread(target=play, args=(answer,), daemon=True).start()
        return line

    yield start
    line.close()


def woken(words: list[str], **changes: object) -> str:
    facts = {"memory": TOKEN, "uses": 0, "disk": TOKEN, "disk_uses": 0, "off": 0.0} | changes
    clock = float(words[2]) + float(str(facts["off"]))
    return (
        f"wake {words[1]} {facts['memory']} {facts['uses']} {facts['disk']} {facts['disk_uses']}"
        f" {clock:.9f}\n"
    )


def test_a_good_wake_up(serve: Serve) -> None:
    seen: list[list[str]] = []

    def answer(words: list[str]) -> str:
        seen.append(words)
        return woken(words)

    line = serve(answer)
    first, second = line.wake(TOKEN), line.wake(TOKEN)
    assert (first.memory, first.disk_uses) == (TOKEN, 0)
    assert abs(first.clock - time.time()) < 5
    assert second.clock >= first.clock
    assert len(seen[0][3]) == 64
    assert seen[0][1] != seen[1][1]  # an old answer cannot pass for a new one
    assert seen[0][3] != seen[1][3]  # nor do two restored guests get the same random numbers


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"memory": "f" * 16}, "memory holds another snapshot (ffffffffffffffff"),
        ({"disk": "f" * 16}, "the disk holds another snapshot"),
        ({"uses": 1}, "memory was not restored since its last use"),
        ({"disk_uses": 3}, "the disk was not restored since its last use"),
        ({"off": -3600.0}, "its clock is off by -3600"),
        ({"off": 1.5}, "its clock is off by +1.5"),
    ],
)
def test_a_guest_that_is_not_as_saved_is_refused(
    serve: Serve, changes: dict[str, object], said: str
) -> None:
    with pytest.raises(LabError) as refused:
        serve(lambda words: woken(words, **changes)).wake(TOKEN)
    assert refused.value.status is Status.FAILED
    assert said in refused.value.message


def test_all_differences_are_told() -> None:
    found = differences(Canary("f" * 16, 0, TOKEN, 2, 0.0), TOKEN, 100.0)
    assert found.count(";") == 2


def test_answers_from_before_are_passed_over(serve: Serve) -> None:
    stale = woken(["wake", "0123", "1.0"], memory="stale")
    line = serve(lambda words: f"rest of a line\n\0\xff\n{stale}{woken(words)}{stale}")
    assert line.wake(TOKEN).memory == TOKEN
    assert line.wake(TOKEN).memory == TOKEN


def test_the_guests_own_error_is_told(serve: Serve) -> None:
    line = serve(lambda words: f"{words[0]} {words[1]} error the scratch disk cannot be read\n")
    with pytest.raises(LabError, match="the scratch disk cannot be read"):
        line.wake(TOKEN)
    with pytest.raises(LabError, match="cannot be saved: error the scratch disk"):
        line.save(TOKEN)


def test_save_is_answered(serve: Serve) -> None:
    serve(lambda words: f"save {words[1]} ok\n").save(TOKEN)


def test_silence_ends(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_WAKES", 0.2)
    with pytest.raises(LabError, match=r"did not answer within 0\.2 s"):
        serve(lambda words: "").wake(TOKEN)


def test_a_machine_that_is_gone_is_an_error_and_not_a_wait() -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    with pytest.raises(LabError):
        AgentLine(ours).wake(TOKEN)
    ours.close()
