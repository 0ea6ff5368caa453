# SPDX-License-Identifier: BSD-2-Clause
"""The machines that run, as Ansible's inventory: every address is a running machine's own.

What a script that plays an inventory must print is in Ansible's documentation, "Developing dynamic
inventory".
"""

from __future__ import annotations

from collections.abc import Sequence

from lab.live.machines import LiveMachine
from lab.sshkey import SSH_CONFIG

SYSTEMS = "privileged_guests"
"""The group of those with a whole system, for Ansible to set up."""
BARE = "bare_guests"
"""The group of the others: they have no Python, so they answer Ansible's module ``raw`` only."""


def inventory(machines: Sequence[LiveMachine]) -> dict[str, object]:
    """Return the groups, and every variable at once, so that nobody asks machine by machine."""
    running = [machine for machine in machines if machine.state == "running"]
    systems = [machine.id for machine in running if "disk" in machine.record]
    return {
        SYSTEMS: {"hosts": systems},
        BARE: {"hosts": [machine.id for machine in running if machine.id not in systems]},
        "_meta": {"hostvars": {machine.id: variables(machine) for machine in running}},
    }


def variables(machine: LiveMachine) -> dict[str, object]:
    """Return how Ansible reaches a machine: as the lab's ``ssh`` does, by its ``ssh_config``."""
    return {
        "ansible_host": "guest",
        "ansible_user": "root",
        "ansible_ssh_common_args": f'-F "{machine.directory / SSH_CONFIG}"',
        "lab_engine": str(machine.record.get("engine", "")),
    }
