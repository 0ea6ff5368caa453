# SPDX-License-Identifier: BSD-2-Clause
"""Every kind of cluster carries a campaign, and none leaves anything behind.

SSH is real, to namespaces. Slurm is not: its ``sbatch`` is a stand-in that runs the job here, which
proves that what dask-jobqueue makes of our description is a job that finds its way back.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import sshd
from cluster import running, with_environment
from command import COUNTED, Command
from hosts import HEAD, hosts
from wait import SECONDS, wait_until

from lab.machine.process import Process

pytest_plugins = ["journal"]

STAND_IN = {
    "sbatch": '#!/bin/sh\nsh "$1" >>"$CAMPAIGN_JOURNAL.jobs" 2>&1 & echo "Submitted batch job $!"',
    "scancel": '#!/bin/sh\nkill "$@"',
}


@pytest.fixture
def ssh_hosts(tmp_path: Path, journal: Path) -> Iterator[list[str]]:
    """Return addresses at which an SSH server runs commands: this namespace's, and two others."""
    program = [sys.executable, str(Path(sshd.__file__))]
    with hosts(("a", "b"), tmp_path) as made, ExitStack() as stack:
        commands = {HEAD: [*program, HEAD]}
        commands |= {host.address: host.command(*program, host.address) for host in made}
        for address, argv in commands.items():
            start_server(stack, argv, tmp_path / f"sshd-{address}.log")
        yield list(commands)


def start_server(stack: ExitStack, argv: list[str], log: Path) -> None:
    server = Process(argv, log)
    server.start()
    stack.callback(server.end)
    wait_until(lambda: "serving" in log.read_text())


def test_ssh(tmp_path: Path, journal: Path, ssh_hosts: list[str]) -> None:
    before = with_environment(f"CAMPAIGN_JOURNAL={journal}")
    connect = {"port": sshd.PORT, "known_hosts": None}
    cluster = {"kind": "ssh", "hosts": ssh_hosts, "options": {"connect_options": connect}}
    command = Command(tmp_path, [{"tests": COUNTED, "seed": "1-4"}], cluster)
    assert command.start().wait(SECONDS) == 0, command.said
    assert len({result["worker"] for result in command.results().values()}) == 2, command.said
    wait_until(lambda: with_environment(f"CAMPAIGN_JOURNAL={journal}") <= before, 30)


def test_slurm(tmp_path: Path, journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in STAND_IN.items():
        (programs / name).write_text(text + "\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    options = {"cores": 1, "memory": "1GiB", "walltime": "00:10:00", "interface": "lo"}
    cluster = {"kind": "slurm", "jobs": 2, "options": options}
    command = Command(tmp_path, [{"tests": COUNTED, "seed": "1-4"}], cluster)
    assert command.start().wait(SECONDS) == 0, command.said
    assert len(command.results()) == 4
    wait_until(lambda: not with_environment(f"CAMPAIGN_JOURNAL={journal}"), 30)


def test_a_campaign_that_is_killed_takes_its_own_workers_with_it(
    tmp_path: Path, journal: Path
) -> None:
    cells = [{"tests": COUNTED, "seed": "1-2"}]
    command = Command(tmp_path, cells, {"kind": "local", "workers": 2})
    campaign = command.start()
    wait_until(lambda: len(journal.read_text().split()) == 2)
    assert len(with_environment(f"CAMPAIGN_JOURNAL={journal}")) > 4
    campaign.kill()
    campaign.wait()
    wait_until(lambda: not with_environment(f"CAMPAIGN_JOURNAL={journal}"), 20)
    assert command.results() == {}
    assert command.start().wait(SECONDS) == 0, command.said
    assert len(command.results()) == 2


def test_without_a_worker_the_campaign_ends(tmp_path: Path, journal: Path) -> None:
    with hosts((), tmp_path), running((), tmp_path) as cluster:
        address = {"kind": "scheduler", "address": cluster.address, "patience": 1}
        command = Command(tmp_path, [{"tests": COUNTED, "seed": "1"}], address)
        assert command.start().wait(SECONDS) == 30
    assert "No worker since 1 s" in command.said


def test_a_cluster_that_is_not_there_is_told(tmp_path: Path, journal: Path) -> None:
    address = {"kind": "scheduler", "address": "tcp://127.0.0.1:1", "patience": 1}
    command = Command(tmp_path, [{"tests": COUNTED, "seed": "1"}], address)
    assert command.start().wait(SECONDS) == 3
    assert "The cluster tcp://127.0.0.1:1 is not to be had" in command.said
