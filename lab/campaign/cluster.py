# SPDX-License-Identifier: BSD-2-Clause
"""Which hosts a campaign has: a YAML file, and the cluster of Dask's that is made from it.

    kind: local             processes of this host; what there is without a file
    workers: 2

    kind: ssh               a worker on each host, started over SSH; the first has the scheduler
    hosts: [head, a, b]
    python: /opt/dbos-lab/.venv/bin/python

    kind: slurm             jobs of one worker each
    jobs: 20
    options: {cores: 4, memory: 8GiB, walltime: "08:00:00", queue: metal}

    kind: scheduler         one that runs, with workers of their own
    address: tcp://head:8786

``options`` goes to the constructor of ``distributed.SSHCluster`` or ``dask_jobqueue.SLURMCluster``,
and wins over what the lab would say. ``patience`` is how many seconds a campaign waits for the
scheduler, or while there is not a single worker. Each host has a checkout of the same commit, with
an environment of its own.

Dask's processes trust each other with whatever Python can do, and by default everybody who reaches
their ports: such a cluster is for a network of its own, or for TLS (``distributed.comm`` in Dask's
configuration).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.campaign.definition import read_yaml
from lab.errors import Status, die

PATIENCE = 60.0
"""Seconds without a worker; a queue of Slurm's wants more."""
_KEYS = {
    "local": {"workers"},
    "ssh": {"hosts", "python", "options"},
    "slurm": {"jobs", "python", "options"},
    "scheduler": {"address"},
}
_NEEDED = {"ssh": "hosts", "slurm": "jobs", "scheduler": "address"}


@dataclass(frozen=True)
class Cluster:
    """What to call for the workers: ``constructor`` of ``module``, with ``arguments``.

    For a scheduler that runs already there is no constructor, but ``address``.
    """

    module: str = ""
    constructor: str = ""
    arguments: Mapping[str, object] = field(default_factory=dict)
    address: str = ""
    patience: float = PATIENCE


def load_cluster(path: Path | None) -> Cluster:
    """Read the description of a cluster; without one it is this host. Dies with ``USAGE``."""
    if path is None:
        return parse_cluster({"kind": "local"})
    try:
        return parse_cluster(read_yaml(path))
    except ValueError as error:
        die(f"{path}: {error}.", f"edit {path}", status=Status.USAGE)


def parse_cluster(document: object) -> Cluster:
    """Decide what is to be constructed. Raises ``ValueError`` for a document of wrong shape."""
    if not isinstance(document, dict) or document.get("kind") not in _KEYS:
        raise ValueError(f"kind is not one of {', '.join(_KEYS)}")
    kind = document["kind"]
    if unknown := set(document) - _KEYS[kind] - {"kind", "patience"}:
        raise ValueError(f"a cluster of kind {kind} has no {', '.join(map(str, sorted(unknown)))}")
    if (needed := _NEEDED.get(kind)) and not document.get(needed):
        raise ValueError(f"a cluster of kind {kind} needs {needed}")
    options = document.get("options", {})
    if not isinstance(options, dict):
        raise ValueError("options is not a table")
    patience = _number(document, "patience", PATIENCE)
    if kind == "scheduler":
        return Cluster(address=str(document["address"]), patience=patience)
    constructors = {"local": _local, "ssh": _ssh, "slurm": _slurm}
    module, constructor, arguments = constructors[kind](document)
    return Cluster(module, constructor, {**arguments, **options}, patience=patience)


# A worker has one thread, for a cell has the machines of its host for itself; and no limit of
# memory, which would be that of the worker alone and not of the cell, a process beside it.

_Call = tuple[str, str, dict[str, object]]


def _local(document: Mapping[str, object]) -> _Call:
    cores = len(os.sched_getaffinity(0))
    arguments: dict[str, object] = {
        "n_workers": int(_number(document, "workers", cores)),
        "threads_per_worker": 1,
        "memory_limit": 0,
        "host": "127.0.0.1",
        "dashboard_address": None,
    }
    return "distributed", "LocalCluster", arguments


def _ssh(document: Mapping[str, object]) -> _Call:
    hosts = document["hosts"]
    if not isinstance(hosts, list) or len(hosts) < 2:
        raise ValueError("hosts is no list of a scheduler's host and of workers'")
    # The scheduler listens where the others find it; left alone, it asks how to reach the internet.
    arguments: dict[str, object] = {
        "hosts": [str(host) for host in hosts],
        "remote_python": str(document.get("python", sys.executable)),
        "worker_options": {"nthreads": 1, "memory_limit": 0},
        "scheduler_options": {"host": str(hosts[0]), "port": 0, "dashboard": False},
    }
    return "distributed", "SSHCluster", arguments


def _slurm(document: Mapping[str, object]) -> _Call:
    arguments: dict[str, object] = {
        "n_workers": int(_number(document, "jobs", 1)),
        "python": str(document.get("python", sys.executable)),
        "processes": 1,
        "worker_extra_args": ["--nthreads", "1", "--memory-limit", "0"],
        "scheduler_options": {"dashboard": False},
    }
    return "dask_jobqueue", "SLURMCluster", arguments


def _number(document: Mapping[str, object], key: str, default: float) -> float:
    value = document.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{key} is {value!r}, and must be a positive number")
    return value
