# SPDX-License-Identifier: BSD-2-Clause
"""What Ansible has made of a machine, and that it would do nothing more.

``make check-ansible`` runs these, and after them suites of the module, on that machine
(``lab.ansible.keeper``).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping

import pytest

from lab.ansible.keeper import MEMBER, variables
from lab.ansible.play import command_file, play
from lab.guest import Guest
from lab.lab import Booted, Lab
from lab.live.inventory import SYSTEMS

pytestmark = pytest.mark.lab_boot("seed")

WRONG: Mapping[str, tuple[Mapping[str, object], str]] = {
    "a value that is none of the choices": (
        {"privileged_guest_transparent_huge_pages": "allways"},
        "value of privileged_guest_transparent_huge_pages must be one of: always, madvise, never",
    ),
    "a value of another type": (
        {"privileged_guest_huge_pages": "many"},
        "privileged_guest_huge_pages",
    ),
    "two arguments in one": (
        {"privileged_guest_kernel_arguments": ["nokaslr nox2apic"]},
        'has "nokaslr nox2apic", which is not one boot argument',
    ),
    "an argument that is forbidden": (
        {"privileged_guest_forbidden_arguments": ["nokaslr"]},
        '"nokaslr" is in privileged_guest_kernel_arguments and forbidden by',
    ),
    "a device for everybody": (
        {"privileged_guest_device_mode": "0666"},
        'four octal digits in quotes whose last is 0, as "0660"',
    ),
}


def test_a_second_play_changes_nothing(lab: Lab, booted: Booted) -> None:
    recap = play(lab.config, booted.machine, variables(lab))
    assert (recap.changed, recap.failed, recap.unreachable) == (0, 0, 0), recap.said
    assert recap.ok > 30


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_variable_is_told_before_anything_is_done(
    lab: Lab, booted: Booted, mistake: str
) -> None:
    wrong, complaint = WRONG[mistake]
    recap = play(lab.config, booted.machine, {**variables(lab), **wrong})
    assert (recap.changed, recap.failed) == (0, 1), recap.said
    assert complaint in " ".join(recap.said.split()), recap.said


def test_the_running_kernel_was_booted_with_the_arguments(lab: Lab, booted: Booted) -> None:
    booted_with = booted.guest.run("cat /proc/cmdline", check=True).text.split()
    assert set(lab.requirements.guest.profile.required) <= set(booted_with)
    boots = booted.machine.console.tail(100_000).count("dbos-lab: ready")
    assert boots == 2  # for the arguments, once


def test_the_module_is_dkmss_and_fits_the_kernel(booted: Booted) -> None:
    kernel = booted.guest.run("uname -r", check=True).text.strip()
    status = booted.guest.run("dkms status", check=True).text
    assert f", {kernel}, x86_64: installed" in status
    assert "/updates/dkms/" in booted.guest.run("modinfo --filename dune", check=True).text


def test_members_of_the_group_may_and_others_may_not(booted: Booted) -> None:
    # Other suites take the module out, and put it back by a path.
    booted.guest.run("modprobe dune && udevadm settle", check=True)
    try:
        assert run_as(booted.guest, MEMBER) == 0
        assert run_as(booted.guest, "nobody") == 125
    finally:
        booted.guest.run("rmmod dune", check=True)


def run_as(guest: Guest, user: str) -> int:
    """Have a user's process become privileged; return the status of that."""
    command = f"su -s /bin/sh {user} -c 'DBOS_BACKEND=dune dbos run true'"
    return guest.run(command).status


def test_the_inventory_knows_the_machine_and_how_to_reach_it(lab: Lab, booted: Booted) -> None:
    machine = booted.machine
    command = command_file(lab.config, machine)
    environment = {"DBOS_LAB_RUNS": str(machine.directory.parent), "PATH": "/usr/bin:/bin"}
    listed = json.loads(
        subprocess.run(
            [command, "inventory", "--list"], env=environment, capture_output=True, check=True
        ).stdout
    )
    name = machine.directory.name.rpartition("-")[2]
    assert name in listed[SYSTEMS]["hosts"]
    assert str(machine.directory) in listed["_meta"]["hostvars"][name]["ansible_ssh_common_args"]


def test_a_host_of_the_lab_nests_and_lets_its_users_use_kvm(booted: Booted) -> None:
    options = booted.guest.run("modprobe --showconfig", check=True).text
    assert "options kvm_amd nested=1" in options
    assert "kvm" in booted.guest.run(f"id -nG {MEMBER}", check=True).text.split()
