#!/usr/bin/env python3.11
# SPDX-License-Identifier: BSD-2-Clause
"""Saves without end, under writes of all kinds, and each save is what there was at its moment.

``soak.py DBOS SAVES SEED`` runs in a guest, in a directory of its own. It starts the server with
``dbos DBOS`` and another one that only loads. The moment is held still for its digest: writes are
paused, ``DEBUG DIGEST``, ``BGSAVE``, and go on as soon as that has returned. Sometimes the disk is
full; sometimes the server is killed in the middle of a save, and must find the one before it.
"""

from __future__ import annotations

import atexit
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

SERVER, LOADER = 7101, 7102
PERIOD = 0.1
KEYS = 400
LARGEST = 64 << 20
FULL = Path("/tmp/full")
ROOM = 16 << 10
"""Of the full disk, in bytes."""
FULL_EACH, KILLED_EACH = 25, 40
"""Every so many saves, on the average, that happens instead."""
PATIENCE = 300.0


class RefusedError(Exception):
    """An error that the server has answered with."""


class Client:
    """A connection; ``ask`` sends one request and returns what it is answered."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._file = self._socket.makefile("rb")

    def ask(self, *words: str | bytes | float | Path) -> object:
        """Send one request, wait, and return the answer; raises ``RefusedError``."""
        parts = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        request = [b"*%d\r\n" % len(parts)]
        request += [b"$%d\r\n%s\r\n" % (len(part), part) for part in parts]
        self._socket.sendall(b"".join(request))
        return self._answer()

    def _answer(self) -> object:
        line = self._file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise RefusedError(rest.decode())
        if kind == b"$":
            return None if rest == b"-1" else self._file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self._answer() for _ in range(int(rest))]
        if not kind:
            raise ConnectionError("the server has gone")
        return rest.decode()

    def field(self, name: str) -> str:
        """Return a field of INFO."""
        info = self.ask("info", "everything")
        assert isinstance(info, bytes)
        found = re.search(rf"^{name}:(.*?)\r$", info.decode(), re.M)
        assert found, name
        return found[1]

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self._socket.close()


def start(port: int, directory: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a server and wait until it answers."""
    Path(directory).mkdir(exist_ok=True)
    command = ["/lab/redis-server", "--port", str(port), "--save", "", *options]
    with Path(directory, "log").open("ab") as log:
        process = subprocess.Popen(
            [*command, "--enable-debug-command", "yes", "--enable-protected-configs", "yes"],
            cwd=directory,
            stdout=log,
            stderr=log,
        )
    atexit.register(process.kill)
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            client = Client(port)
            assert client.ask("ping") == "PONG"
            client.close()
            return process
        except (OSError, RefusedError):
            time.sleep(0.05)
    sys.exit(f"no server in {directory}:\n{Path(directory, 'log').read_text()}")


def value(chance: random.Random) -> bytes:
    """1 byte to 64 MiB, most of them small."""
    bits = min(chance.expovariate(0.3), LARGEST.bit_length() - 1) if chance.random() < 0.98 else 20
    if chance.random() < 0.0005:
        bits = LARGEST.bit_length() - 1
    return bytes([chance.randrange(256)]) * max(1, int(2**bits))


def write(client: Client, chance: random.Random) -> None:
    """Write anything."""
    key = f"k{chance.randrange(KEYS)}"
    kinds: dict[str, Callable[[], object]] = {
        "set": lambda: client.ask("set", key, value(chance)),
        "expire": lambda: client.ask("set", key, value(chance), "px", chance.randrange(1, 3000)),
        "ttl": lambda: client.ask("pexpire", key, chance.randrange(1, 5000)),
        "append": lambda: client.ask("append", f"a{key}", bytes(chance.randrange(1, 100))),
        "trim": lambda: client.ask("del", f"a{key}"),
        "list": lambda: client.ask("rpush", f"l{key}", value(chance)[:4000], "x"),
        "pop": lambda: client.ask("lpop", f"l{key}"),
        "hash": lambda: client.ask("hset", f"h{key}", chance.randrange(200), value(chance)[:500]),
        "zset": lambda: client.ask("zadd", f"z{key}", chance.random(), chance.randrange(300)),
        "member": lambda: client.ask("sadd", f"s{key}", chance.randrange(1000)),
        "unlink": lambda: client.ask("unlink", key, f"l{key}", f"h{key}", f"z{key}", f"s{key}"),
    }
    kinds[chance.choice(list(kinds))]()
    if chance.random() < 0.0002:
        client.ask("flushdb", "async")


class Writer(threading.Thread):
    """Writes until told to stop, or until the server has gone."""

    def __init__(self, seed: str) -> None:
        super().__init__(daemon=True)
        self._chance = random.Random(seed)
        self._stop_asked = threading.Event()
        self.written = 0
        self.start()

    def run(self) -> None:
        """Be the thread."""
        try:
            client = Client(SERVER)
            while not self._stop_asked.is_set():
                write(client, self._chance)
                self.written += 1
        except OSError:
            pass

    def stop(self) -> None:
        """Return when it writes no more."""
        self._stop_asked.set()
        self.join()


class Soak:
    """The two servers, and what was last saved."""

    def __init__(self, dbos: str, seed: str) -> None:
        self.seed, self.chance = seed, random.Random(seed)
        self.options = ("--dbos", dbos, "--rdb-key-save-delay", "20")
        self.counts: Counter[str] = Counter()
        self.resident: list[int] = []
        self.peaks: list[int] = []
        self.saved: object = None
        self.process = start(SERVER, "server", *self.options)
        # A replica neither drops what has expired as it loads, nor later.
        start(LOADER, "loader", "--replicaof", "127.0.0.1 1")
        self.loader = Client(LOADER)
        self.connect()

    def connect(self) -> None:
        """Begin with a server that has just started."""
        self.client = Client(SERVER)
        self.writers = [Writer(f"{self.seed} {self.counts['killed']} {i}") for i in range(2)]

    def begin_save(self) -> object:
        """Return the digest of the moment of which the save is."""
        self.client.ask("client", "pause", int(PATIENCE * 1000), "write")
        try:
            digest = self.client.ask("debug", "digest")
            self.client.ask("bgsave")
        finally:
            self.client.ask("client", "unpause")
        return digest

    def wait(self) -> str:
        """Wait for the end of the save; return what came of it."""
        until = time.monotonic() + PATIENCE
        while self.client.field("rdb_bgsave_in_progress") != "0":
            assert time.monotonic() < until, "the save does not end"
            time.sleep(0.02)
        return self.client.field("rdb_last_bgsave_status")

    def check(self, *digests: object) -> None:
        """The file that there is has what there was at one of these moments."""
        shutil.copy("server/dump.rdb", "loader/dump.rdb")
        self.loader.ask("debug", "reload", "nosave")
        self.saved = self.loader.ask("debug", "digest")
        assert self.saved in digests, f"saved was {self.saved!r}, and there was {digests!r}"
        left = [path.name for path in Path("server").glob("temp-*")]
        assert left == [], left

    def save(self) -> None:
        """Save, and look at it."""
        digest = self.begin_save()
        assert self.wait() == "ok"
        self.check(digest)
        self.counts["saved"] += 1

    def full(self) -> None:
        """The disk is full: the save says so, and the one before it is as it was."""
        self.client.ask("config", "set", "dir", FULL)
        try:
            self.begin_save()
            assert self.wait() == "err", "there was no room, and it says ok"
            assert list(FULL.glob("*.rdb")) == []
        finally:
            self.client.ask("config", "set", "dir", Path("server").resolve())
        self.check(self.saved)
        self.counts["full"] += 1

    def kill(self) -> None:
        """SIGKILL, mostly in the middle of a save: the one before that is whole."""
        digest = self.begin_save()
        time.sleep(self.chance.random() * PERIOD)
        self.process.kill()
        self.process.wait()
        for writer in self.writers:
            writer.stop()
        for left in Path("server").glob("temp-*"):
            self.counts["in the middle"] += 1
            left.unlink()
        self.check(self.saved, digest)
        self.process = start(SERVER, "server", *self.options)
        self.counts["killed"] += 1
        self.connect()

    def once(self) -> None:
        """One more save, or what happens instead."""
        chance = self.chance.random()
        large = self.saved is not None and Path("server/dump.rdb").stat().st_size > 4 * ROOM
        if large and chance < 1 / FULL_EACH:
            self.full()
        elif self.saved is not None and chance < 1 / FULL_EACH + 1 / KILLED_EACH:
            self.kill()
        else:
            self.save()
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s*(\d+) kB$", status, re.M)
        assert found
        self.resident.append(int(found[1]))
        self.peaks.append(int(self.client.field("used_memory_peak")) >> 10)


def main() -> None:
    """Save until there are enough, and say what happened."""
    dbos, saves, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    FULL.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "none", FULL], check=True)
    soak = Soak(dbos, seed)
    while soak.counts["saved"] < saves:
        next_one = time.monotonic() + PERIOD
        soak.once()
        time.sleep(max(0.0, next_one - time.monotonic()))
    for writer in soak.writers:
        writer.stop()
    done = ", ".join(f"{name} {count}" for name, count in sorted(soak.counts.items()))
    print(f"counts: {done}, written since {sum(w.written for w in soak.writers)}")
    print("resident:", *soak.resident)
    print("peaks:", *soak.peaks)
    print("soak: ok")


if __name__ == "__main__":
    main()
