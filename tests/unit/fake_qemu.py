# SPDX-License-Identifier: BSD-2-Clause
"""A stand-in for QEMU: takes its command line, speaks QMP, plays one of a few fates.

The fate is in FAKE_QEMU. The console is written and the events are sent as the real one does.
"""

from __future__ import annotations

import json
import os
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def main() -> None:
    words = " ".join(sys.argv)
    fate = os.environ.get("FAKE_QEMU", "ready")
    if fate.startswith("refuse:"):
        sys.exit(f"qemu-system-x86_64: {fate.removeprefix('refuse:')}")
    if fate == "mute":
        time.sleep(60)
    found = re.search(r"socket,id=qmp,fd=(\d+)", words), re.search(r"path=(\S+)", words)
    assert found[0], words
    assert found[1], words
    connection = socket.socket(fileno=int(found[0][1]))
    console = open(found[1][1], "wb", buffering=0)  # noqa: PTH123, SIM115
    threading.Thread(target=play, args=(fate, connection, console.write), daemon=True).start()
    serve(connection)


def play(fate: str, connection: socket.socket, write: Callable[[bytes], object]) -> None:
    time.sleep(0.1)
    if fate == "ready":
        write(b"dbos-lab: ready\n")
    elif fate == "init":
        write(b"dbos-lab: init failed: no seed\n")
        end(connection, "guest-shutdown")
    elif fate == "panic":
        write(b"Kernel panic - not syncing: for a test\n")
        event(connection, "GUEST_PANICKED", {"action": "none"})
        time.sleep(0.2)
        write(b"---[ end of the backtrace ]---\n")
        event(connection, "SHUTDOWN", {"guest": True, "reason": "guest-reset"})
    elif fate == "reset":
        event(connection, "SHUTDOWN", {"guest": True, "reason": "guest-reset"})
    elif fate == "crash":
        os.kill(os.getpid(), 11)
    elif fate == "talk":
        write(b"still booting\n")


def serve(connection: socket.socket) -> None:
    send(connection, {"QMP": {"version": {}, "capabilities": []}})
    for message in messages(connection):
        answer: dict[str, object] = {"return": {}}
        if message["execute"] == "human-monitor-command":
            forward = "  TCP[HOST_FORWARD]  13  127.0.0.1 4022  10.0.2.15  22  0  0"
            answer = {"return": forward}
        if message["execute"] == "dump-guest-memory":
            dump(message["arguments"]["protocol"].removeprefix("file:"))
        if message["execute"] == "wrong":
            answer = {"error": {"class": "GenericError", "desc": "no such thing"}}
        if "id" in message:
            answer["id"] = message["id"]
        if message["execute"] != "stall":
            send(connection, answer)
        if message["execute"] == "quit":
            end(connection, "host-qmp-quit")


def dump(path: str) -> None:
    """Write a flattened dump that holds nothing but its signature."""
    header = struct.pack(">16sqq", b"makedumpfile", 1, 1).ljust(4096, b"\0")
    data = b"KDUMP   " + bytes(4096)
    record = struct.pack(">qq", 0, len(data)) + data
    Path(path).write_bytes(header + record + struct.pack(">qq", -1, -1))


def messages(connection: socket.socket) -> Iterator[dict[str, Any]]:
    """JSON objects as they come; the client puts nothing between them."""
    held = ""
    while data := connection.recv(4096):
        held += data.decode()
        while held:
            try:
                message, length = json.JSONDecoder().raw_decode(held)
            except json.JSONDecodeError:
                break
            yield message
            held = held[length:].lstrip()


def send(connection: socket.socket, message: object) -> None:
    connection.sendall(json.dumps(message).encode() + b"\r\n")


def event(connection: socket.socket, name: str, data: object) -> None:
    stamp = {"seconds": 1, "microseconds": 2}
    send(connection, {"event": name, "data": data, "timestamp": stamp})


def end(connection: socket.socket, reason: str) -> None:
    event(connection, "SHUTDOWN", {"guest": True, "reason": reason})
    os._exit(0)


if __name__ == "__main__":
    main()
