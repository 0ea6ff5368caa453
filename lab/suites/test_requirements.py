# SPDX-License-Identifier: BSD-2-Clause
"""kern/dune_req.sh where it is meant for: on the machine that will load the module."""

import json
import subprocess
import sys

import pytest

from lab.deploy import MODULE, load_module
from lab.doctor.findings import Level
from lab.doctor.remote import SCRIPT, Requirements, parse
from lab.guest import Guest
from lab.lab import Booted, Lab

pytestmark = pytest.mark.lab_requires("svm")  # what it expects to be said

LAB = (sys.executable, "-c", "from lab.cli import main; main()")
BUILD = {"headers", "compiler"}


def examined(lab: Lab, guest: Guest) -> Requirements:
    """Run the script in the guest's own shell, which is busybox's."""
    script = (lab.config.source / SCRIPT).read_bytes()
    done = guest.run("sh -s", input=script)
    assert done.stderr == b""
    return parse("guest", done.text, done.status)


def test_the_guest_can_load_the_module_but_not_build_it(lab: Lab, guest: Guest) -> None:
    found = examined(lab, guest)
    assert (found.loads, found.builds) == (True, False)
    failed = {finding.id for finding in found.findings if finding.level is Level.FAIL}
    assert failed == BUILD
    causes = {finding.id: finding.cause for finding in found.findings}
    assert causes["cpu"] == "AMD-V (SVM) with nested paging (NPT)"
    assert causes["place"].startswith("nested")
    assert causes["kernel"] == f"Linux {lab.image.kernel_release}"
    assert "which is not loaded" in causes["device"]
    load_module(guest, MODULE)  # it can indeed
    causes = {finding.id: finding.cause for finding in examined(lab, guest).findings}
    assert causes["device"] == "/dev/dune may be opened by this user"


def test_others_may_not_open_the_device_and_are_told(lab: Lab, module_loaded: Guest) -> None:
    script = (lab.config.source / SCRIPT).read_bytes()
    done = module_loaded.run("su -s /bin/sh nobody -c 'sh -s'", input=script)
    assert done.status == 1
    [device] = [f for f in parse("guest", done.text, done.status).findings if f.id == "device"]
    assert device.cause == "/dev/dune may not be opened by this user"
    assert "usermod -aG dune nobody" in device.next


def test_the_doctor_asks_over_ssh(booted: Booted) -> None:
    config = booted.machine.directory / "ssh_config"
    told = subprocess.run(
        [*LAB, "doctor", "--host", "guest", "--ssh-config", str(config), "--json"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert told.returncode == 3, told.stderr
    report = json.loads(told.stdout)
    assert (report["host"], report["loads"], report["builds"]) == ("guest", True, False)
