# SPDX-License-Identifier: BSD-2-Clause
"""A Redis in a guest, filled, under load, and saved once: by fork, or on a snapshot."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.bench.hypervisors import both_loaded
from lab.bench.redis.latencies import Load, parse_load
from lab.build import REDIS, build_guest_programs
from lab.deploy import copy

if TYPE_CHECKING:
    from lab.lab import Booted, Lab

IMAGE = "debian-12-programs"
"""The image whose toolchain has Redis's sources."""
FORK, SNAPSHOT = "fork", "snapshot"
WAYS = {FORK: "no", SNAPSHOT: "yes"}
"""How the child comes to be, and what ``dbos`` is for that in redis.conf."""
PORT = 7201
VALUE = 4096
SECONDS = 900.0
"""For one run of the load, the filling included."""
WITHOUT_DATA = 1024
"""MiB of a guest in which nothing is in Redis."""


@dataclass(frozen=True)
class Case:
    """What is measured, once."""

    way: str
    mib: int
    """Of values."""
    rate: int
    """Requests a second."""
    clients: int = 8
    before: int = 3
    after: int = 2
    """Seconds of load around the save."""
    seed: int = 1


@dataclass(frozen=True)
class Save:
    """What came of it."""

    load: Load
    fork_ms: float
    """Redis's own ``latest_fork_usec``: for how long the server stood still to have a child."""
    copied_mib: float


START = """\
rm -rf /tmp/bench && mkdir -p /tmp/bench && cd /tmp/bench || exit 1
/lab/redis-server --port {port} --save '' --dbos {dbos} --enable-debug-command yes >log 2>&1 &
for i in $(seq 100); do
	[ "$(redis-cli -p {port} ping 2>&1)" = PONG ] && break
	sleep 0.1
done
redis-cli -p {port} debug populate {keys} key {value} >said 2>&1
grep -q OK said || {{ cat said log >&2; exit 1; }}
"""
LOADED = """\
/lab/redis-load {port} {before} {after} {clients} {rate} {keys} {value} {seed} load ||
	{{ cat log >&2; exit 1; }}
"""
END = """\
redis-cli -p {port} info | tr -d '\\r' | grep -E '^(latest_fork_usec|rdb_last_cow_size):'
redis-cli -p {port} shutdown nosave
wait
"""


def save_under_load(booted: Booted, case: Case) -> Save:
    """Start a server, fill it, save it under load, and end it."""
    words = {
        "port": PORT,
        "dbos": WAYS[case.way],
        "keys": (case.mib << 20) // VALUE,
        "value": VALUE,
        "before": case.before,
        "after": case.after,
        "clients": case.clients,
        "rate": case.rate,
        "seed": case.seed,
    }
    script = f"export DBOS_BACKEND=dune; {START}{LOADED}{END}".format(**words)
    said = booted.guest.run(script, timeout=SECONDS, check=True).text
    with tempfile.TemporaryDirectory(prefix="dbos-lab-") as scratch:
        records = Path(scratch, "load")
        booted.guest.get("/tmp/bench/load", records)
        load = parse_load(said, records.read_bytes())
    figures = {name: int(value) for name, value in re.findall(r"^(\w+):(\d+)$", said, re.M)}
    return Save(load, figures["latest_fork_usec"] / 1000, figures["rdb_last_cow_size"] / 2**20)


@contextmanager
def redis_guest(lab: Lab, otherwise: str, mib: int) -> Iterator[Booted]:
    """Boot a guest that has room for ``mib`` of values, and copies of them."""
    with both_loaded(lab, otherwise, memory_mib=WITHOUT_DATA + 3 * mib) as booted:
        artefacts = build_guest_programs(lab.config, lab.image, lab.report, REDIS)
        copy(booted.guest, artefacts.programs)
        yield booted
