# SPDX-License-Identifier: BSD-2-Clause
"""What a request costs the server, in instructions, privileged and not, while nothing is saved.

On the engine that counts instructions a nanosecond of a thread's run time is one instruction, so
the scheduler's account of the server's threads is what they have executed: in the guest, and in the
guest's kernel on their behalf.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from lab.bench.record import Check
from lab.bench.redis.server import FORK, PORT, SNAPSHOT, WAYS
from lab.errors import Status, die

if TYPE_CHECKING:
    from lab.guest import Guest

COMMANDS = ("get", "set")
PIPELINES = (1, 16)
"""Requests that a client sends before it waits."""
REQUESTS = 4000
LEAST = 0.95
"""How many requests for the instructions of one without dbos."""
SECONDS = 600.0

SERVERS = """\
rm -rf /tmp/requests && mkdir -p /tmp/requests && cd /tmp/requests || exit 1
serve() { # NAME PORT DBOS
	/lab/redis-server --port $2 --save '' --dbos $3 >$1.log 2>&1 &
	eval "$1=$!"
	for i in $(seq 100); do
		[ "$(redis-cli -p $2 ping 2>&1)" = PONG ] && return
		sleep 0.1
	done
	cat $1.log >&2; exit 1
}
executed() { cat /proc/$1/task/*/schedstat | awk '{ sum += $1 } END { print sum }'; }
exits() { # 0 of who is not privileged
	/lab/dbos stat $1 2>/dev/null | awk '$1 == "sum" { sum = $3 } END { print sum + 0 }'
}
ask() { redis-benchmark -p $1 -t $2 -P $3 -n $4 -c 8 -d 100 -r 1000 -q >/dev/null 2>&1; }
measure() { # NAME PORT
	pid=$(eval "echo \\$$1")
	for command in get set; do
		for pipeline in 1 16; do
			begun=$(executed $pid) left=$(exits $pid)
			ask $2 $command $pipeline $REQUESTS
			echo "cost $1 $command $pipeline $(($(executed $pid) - begun)) \\
				$(($(exits $pid) - left))" | tr -s ' \\t' ' '
		done
	done
}
"""


def sample_name(what: str, command: str, pipeline: int, way: str) -> str:
    """Name a series of samples: ``instructions`` or ``exits`` of one request."""
    return f"{what}, {command}, pipeline {pipeline}, {way}"


def measure_requests(guest: Guest, repetitions: int) -> dict[str, list[float]]:
    """Ask both servers in turns; the first turn, in which they get their keys, does not count."""
    ports = {way: PORT + i for i, way in enumerate(WAYS)}
    start = "\n".join(f"serve {way} {ports[way]} {dbos}" for way, dbos in WAYS.items())
    turn = "; ".join(f"measure {way} {port}" for way, port in ports.items())
    stop = "; ".join(f"redis-cli -p {port} shutdown nosave" for port in ports.values())
    script = (
        f"export DBOS_BACKEND=dune; REQUESTS={REQUESTS}\n{SERVERS}\n{start}\n{{ {turn}; }} >first\n"
        f"for i in $(seq {repetitions}); do {turn}; done\n{stop}; wait\n"
    )
    return parse_costs(guest.run(script, timeout=SECONDS, check=True).text, repetitions)


def parse_costs(said: str, repetitions: int) -> dict[str, list[float]]:
    """Read the samples; dies with ``FAILED`` if any are missing."""
    samples: dict[str, list[float]] = {}
    for way, command, pipeline, executed, exits in re.findall(
        r"^cost (\w+) (\w+) (\d+) (\d+) (\d+)$", said, re.M
    ):
        for what, count in (("instructions", executed), ("exits", exits)):
            name = sample_name(what, command, int(pipeline), way)
            samples.setdefault(name, []).append(int(count) / REQUESTS)
    wanted = {
        sample_name(what, command, pipeline, way)
        for what in ("instructions", "exits")
        for command in COMMANDS
        for pipeline in PIPELINES
        for way in WAYS
    }
    if samples.keys() != wanted or any(len(each) != repetitions for each in samples.values()):
        die(
            "Not all requests were measured.",
            "read what was said below; SERVERS in lab/bench/redis/requests.py says it",
            status=Status.FAILED,
            detail=said,
        )
    return samples


def checks_of(samples: Mapping[str, Sequence[float]]) -> list[Check]:
    """Compare what the same request costs the same binary."""

    def median(command: str, pipeline: int, way: str) -> float:
        name = sample_name("instructions", command, pipeline, way)
        return statistics.median(samples[name])

    return [
        Check(
            f"{command}, pipeline {pipeline}",
            median(command, pipeline, SNAPSHOT),
            LEAST,
            "instructions",
            against=FORK,
            baseline=median(command, pipeline, FORK),
        )
        for command in COMMANDS
        for pipeline in PIPELINES
    ]


def table_of(samples: Mapping[str, Sequence[float]], engine: str) -> Table:
    """Lay out medians."""
    table = Table(title=f"Instructions of a request, {engine}", title_justify="left")
    for heading in ("", *(f"dbos {dbos}" for dbos in WAYS.values()), "exits with dbos"):
        table.add_column(heading, justify="right" if heading else "left")
    for command in COMMANDS:
        for pipeline in PIPELINES:
            executed = (
                samples[sample_name("instructions", command, pipeline, way)] for way in WAYS
            )
            exits = samples[sample_name("exits", command, pipeline, SNAPSHOT)]
            table.add_row(
                f"{command}, pipeline {pipeline}",
                *(f"{statistics.median(values):.0f}" for values in executed),
                f"{statistics.median(exits):.2f}",
            )
    return table
