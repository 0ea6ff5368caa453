# SPDX-License-Identifier: BSD-2-Clause
"""The line to ``lab/agent/agent.c``, which prepares a guest to be saved and vouches for it after.

A serial line and not a connection: it has no state on the way that a restored guest could disagree
with, and it is there as soon as the guest runs again.
"""

from __future__ import annotations

import secrets
import select
import socket
import time
from dataclasses import dataclass

from lab.errors import LabError, Status

_SETTLES = 20.0
"""Seconds the guest gets to end the sessions that were hung up; it needs a few milliseconds."""
_WAKES = 5.0
"""Seconds a restored guest gets to answer; it needs 0.02, and one that does not is no use."""
CLOCK_ERROR = 1.0
"""Seconds a restored guest's clock may be off."""


@dataclass(frozen=True)
class Canary:
    """What the guest found of what was saved: a token and the number of uses since, twice."""

    memory: str
    memory_uses: int
    disk: str
    disk_uses: int
    clock: float
    """The guest's time of day, seconds since 1970."""


class AgentLine:
    """The lab's end of the guest's second serial port. It owns the connected socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setblocking(False)

    def save(self, token: str) -> None:
        """Have the guest ready to be saved: nobody logged in, canaries set to ``token``.

        Hang up before. Dies with ``FAILED`` if the guest cannot do it or does not answer.
        """
        answer = self._ask(f"save {token}", _SETTLES)
        if answer != "ok":
            raise _refused(f"The guest cannot be saved: {answer}.")

    def wake(self, token: str) -> Canary:
        """Set the clock and the random numbers of a restored guest; die unless it is the saved one.

        The error has the status ``FAILED`` and says what was not as it was saved.
        """
        nonce = secrets.token_hex(8)
        asked = time.time()
        answer = self._ask(f"wake {nonce} {asked:.9f} {secrets.token_hex(32)}", _WAKES)
        canary = parse_canary(answer)
        wrong = differences(canary, token, time.time())
        if wrong:
            raise _refused(f"The restored guest is not the one that was saved: {wrong}.")
        return canary

    def close(self) -> None:
        """Hang up; the guest does not notice."""
        self._connection.close()

    def _ask(self, request: str, timeout: float) -> str:
        """Send a request; return what follows its first two words in the answer."""
        key = " ".join(request.split()[:2]) + " "
        deadline = time.monotonic() + timeout
        try:
            # The line end before it cuts off what a restored guest had half received when it was
            # saved.
            self._connection.sendall(f"\n{request}\n".encode())
            held = b""
            while (left := deadline - time.monotonic()) > 0:
                if not select.select([self._connection], [], [], left)[0]:
                    break
                data = self._connection.recv(4096)
                if not data:
                    break
                *lines, held = (held + data).split(b"\n")
                for line in lines:
                    # Other lines are answers from before: to requests given up, or in a guest that
                    # was put back meanwhile.
                    text = line.decode(errors="replace").strip()
                    if text.startswith(key):
                        return text.removeprefix(key)
        except OSError as error:
            raise _refused(f"The line to the guest's agent broke: {error}.") from error
        raise _refused(f"The guest's agent did not answer within {timeout:g} s.")


def parse_canary(answer: str) -> Canary:
    """Read the answer to ``wake``; dies with ``FAILED`` if the guest tells of an error instead."""
    words = answer.split()
    try:
        memory, memory_uses, disk, disk_uses, clock = words
        return Canary(memory, int(memory_uses), disk, int(disk_uses), float(clock))
    except ValueError:
        raise _refused(f"A restored guest cannot be used: {' '.join(words)}.") from None


def differences(canary: Canary, token: str, now: float) -> str:
    """Say what of the guest is not as it was saved under ``token``; empty if all is.

    ``now`` is the host's time of day, after the answer.
    """
    wrong = []
    for where, found, uses in (
        ("memory", canary.memory, canary.memory_uses),
        ("the disk", canary.disk, canary.disk_uses),
    ):
        if found != token:
            wrong.append(f"{where} holds another snapshot ({found}, not {token})")
        elif uses != 0:
            wrong.append(f"{where} was not restored since its last use")
    if abs(now - canary.clock) > CLOCK_ERROR:
        wrong.append(f"its clock is off by {canary.clock - now:+.1f} s")
    return "; ".join(wrong)


def _refused(sentence: str) -> LabError:
    return LabError(
        sentence,
        "run it again on a new machine: dbos-lab run",
        status=Status.FAILED,
    )
