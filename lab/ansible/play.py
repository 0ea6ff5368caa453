# SPDX-License-Identifier: BSD-2-Clause
"""Play ``ansible/site.yml`` on a machine, as its user does: over SSH, found by the inventory."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.config import Config
from lab.deadline import Deadline
from lab.errors import Status, die
from lab.image.contain import run_logged, tail
from lab.live.inventory import SYSTEMS
from lab.machine.machine import Machine

PLAY_SECONDS = 3600.0
"""Emulated, with DKMS among what is done, on two idle cores: about ten minutes."""
HOSTS = "lab_hosts"
"""The group of ``site.yml`` that no machine of the lab's is in by itself."""
_RECAP = re.compile(r"^\S+ +: ok=(\d+) +changed=(\d+) +unreachable=(\d+) +failed=(\d+)", re.M)


@dataclass(frozen=True)
class Recap:
    """What a play came to on its one machine."""

    ok: int
    changed: int
    unreachable: int
    failed: int
    said: str
    """All that was printed."""


def play(config: Config, machine: Machine, variables: Mapping[str, object]) -> Recap:
    """Play it on ``machine``, which is a host of the lab's as well as a guest."""
    ansible = shutil.which("ansible-playbook")
    if ansible is None:
        die(
            "ansible-playbook is not installed.",
            "make check-ansible  # installs it, in build/ansible",
            status=Status.MISSING,
        )
    folder = config.source / "ansible"
    both = machine.directory / "lab_hosts.ini"
    both.write_text(f"[{HOSTS}:children]\n{SYSTEMS}\n[{SYSTEMS}]\n")
    log = machine.directory / "ansible.log"
    run_logged(
        [
            *(ansible, "site.yml", "--inventory", "inventory/lab", "--inventory", str(both)),
            *("--limit", machine.directory.name.rpartition("-")[2]),
            *("--extra-vars", json.dumps(dict(variables))),
        ],
        log,
        environment={
            **os.environ,
            "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",  # it refuses to start without
            "DBOS_LAB": str(command_file(config, machine)),
            "DBOS_LAB_RUNS": str(machine.directory.parent),
        },
        deadline=Deadline.after(PLAY_SECONDS, "the play"),
        directory=folder,
    )
    said = log.read_text(errors="replace")
    recap = _RECAP.search(said)
    if recap is None:
        die(
            "Ansible did not come to any machine.",
            f"less {log}",
            status=Status.FAILED,
            detail=tail(log, 30),
        )
    ok, changed, unreachable, failed = map(int, recap.groups())
    return Recap(ok, changed, unreachable, failed, said)


def command_file(config: Config, machine: Machine) -> Path:
    """Write a file that is the command ``dbos-lab`` of this very lab."""
    path = machine.directory / "dbos-lab"
    program = "from lab.cli import main; main()"
    words = (sys.executable, "-c", program)
    path.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={shlex.quote(str(config.source))}\n"
        f'exec {shlex.join(words)} "$@"\n'
    )
    path.chmod(0o755)
    return path
