# SPDX-License-Identifier: BSD-2-Clause
"""A scheduler here, a worker on each host, and looks at what they do."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from hosts import HEAD, Host
from wait import wait_until

from lab.machine.process import Process


@dataclass(frozen=True)
class Worker:
    """A worker, alone on its host."""

    name: str
    process: Process


@dataclass(frozen=True)
class Running:
    """What runs: the address of the scheduler, and the workers."""

    address: str
    workers: Sequence[Worker]


@contextmanager
def running(hosts: Sequence[Host], directory: Path) -> Iterator[Running]:
    """Start Dask's own programs, as somebody would who has a cluster already."""
    file = directory / "scheduler.json"
    scheduler = ["--host", HEAD, "--port", "0", "--no-dashboard", "--scheduler-file", str(file)]
    with ExitStack() as stack:
        _start(stack, _dask("scheduler", *scheduler), directory / "scheduler.log")
        wait_until(lambda: file.exists() and file.read_text().strip().endswith("}"))
        address = json.loads(file.read_text())["address"]
        workers = []
        for host in hosts:
            options = ["--name", host.name, "--nthreads", "1", "--memory-limit", "0"]
            options += ["--no-nanny", "--no-dashboard", "--local-directory", str(directory)]
            argv = host.command(*_dask("worker", address, *options))
            process = _start(stack, argv, directory / f"{host.name}-worker.log")
            workers.append(Worker(host.name, process))
        yield Running(address, workers)


def _dask(program: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"distributed.cli.dask_{program}", *arguments]


def _start(stack: ExitStack, argv: Sequence[str], log: Path) -> Process:
    process = Process(argv, log)
    process.start()
    stack.callback(process.end)
    return process


def descendants(pid: int) -> dict[int, str]:
    """Return the command lines of all processes below one, by their ids."""
    parents, commands = {}, {}
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            stat = (directory / "stat").read_text()
            command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        # The name, in parentheses, may hold anything: what follows the last one is fixed.
        parents[int(directory.name)] = int(stat.rpartition(")")[2].split()[1])
        commands[int(directory.name)] = command
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    return {child: commands[child] for child in below - {pid}}


def with_environment(entry: str) -> set[int]:
    """Return the processes that have ``entry`` in their environment, this one excepted."""
    found = set()
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            environment = (directory / "environ").read_bytes()
        except OSError:
            continue
        if entry.encode() in environment.split(b"\0") and int(directory.name) != os.getpid():
            found.add(int(directory.name))
    return found
