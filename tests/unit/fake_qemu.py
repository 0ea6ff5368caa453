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

JOBS = ("blockdev-create", "snapshot-save", "snapshot-load")


def main() -> None:
    words = " ".join(sys.argv)
    fate = os.environ.get("FAKE_QEMU", "ready")
    if fate.startswith("refuse:"):
        sys.exit(f"qemu-system-x86_64: {fate.removeprefix('refuse:')}")
    if fate == "mute":
        time.sleep(60)
    found = re.search(r"socket,id=qmp,fd=(\d+)", words), re.search(r"console,path=(\S+)", words)
    assert found[0], words
    assert found[1], words
    connection = socket.socket(fileno=int(found[0][1]))
    console = open(found[1][1], "wb", buffering=0)  # noqa: PTH123, SIM115
    agent = re.search(r"socket,id=agent,fd=(\d+)", words)
    assert agent, words
    line = socket.socket(fileno=int(agent[1]))
    threading.Thread(target=be_the_agent, args=(line,), daemon=True).start()
    actor = threading.Thread(target=play, args=(fate, connection, console.write), daemon=True)
    serve(connection, actor)


def play(fate: str, connection: socket.socket, write: Callable[[bytes], object]) -> None:
    time.sleep(0.1)
    if fate in ("ready", "nmi"):
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


def be_the_agent(line: socket.socket) -> None:
    """Answer as a guest does that was saved once and is restored well each time."""
    token = ""
    for request in line.makefile("r"):
        words = request.split()
        if request.startswith("save"):
            token = words[1]
            line.sendall(f"save {token} ok\n".encode())
        elif words:
            line.sendall(f"wake {words[1]} {token} 0 {token} 0 {words[2]}\n".encode())


def serve(connection: socket.socket, actor: threading.Thread) -> None:
    jobs: list[dict[str, str]] = []
    send(connection, {"QMP": {"version": {}, "capabilities": []}})
    for message in messages(connection):
        command = message["execute"]
        if command == "query-status" and actor.ident is None:
            actor.start()  # not before: an event among the greetings is no QMP
        if command == "inject-nmi" and os.environ.get("FAKE_QEMU") == "nmi":
            event(connection, "GUEST_PANICKED", {"action": "none"})
        answer = answer_to(message, jobs)
        if "id" in message:
            answer["id"] = message["id"]
        if command != "stall":
            send(connection, answer)
        if command in JOBS:
            for status in ("created", "concluded"):
                event(connection, "JOB_STATUS_CHANGE", {**jobs[-1], "status": status})
        if command == "quit":
            end(connection, "host-qmp-quit")


def answer_to(message: dict[str, Any], jobs: list[dict[str, str]]) -> dict[str, object]:
    """Do what a command asks for, if anything; return what QEMU would answer."""
    match message["execute"]:
        case "human-monitor-command":
            forward = "  TCP[HOST_FORWARD]  13  127.0.0.1 4022  10.0.2.15  22  0  0"
            return {"return": forward + os.environ.get("FAKE_ROMS", "")}
        case "dump-guest-memory":
            dump(message["arguments"]["protocol"].removeprefix("file:"))
        case "query-cpus-fast":
            return {"return": [{"thread-id": os.getpid()}]}
        case "query-jobs":
            return {"return": jobs}
        case "wrong":
            return {"error": {"class": "GenericError", "desc": "no such thing"}}
        case command if command in JOBS:
            jobs.append({"id": message["arguments"]["job-id"]})
            if os.environ.get("FAKE_JOB"):
                jobs[-1]["error"] = os.environ["FAKE_JOB"]
    return {"return": {}}


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
