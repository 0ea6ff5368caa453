# SPDX-License-Identifier: BSD-2-Clause
"""The machine is what the profile and the engine promise, seen from inside."""

from lab.engine import Accelerator
from lab.lab import Booted, Lab
from lab.profile import violations
from lab.session.cell import Cell


def test_boot_arguments_are_the_profiles(booted: Booted) -> None:
    cmdline = booted.guest.run("cat /proc/cmdline", check=True).text
    assert violations(booted.profile, cmdline) == ()


def test_every_cpu_has_the_vendors_flag(lab: Lab, lab_cell: Cell, booted: Booted) -> None:
    cpuinfo = booted.guest.run("cat /proc/cpuinfo", check=True).text
    flags = [
        set(line.partition(":")[2].split())
        for line in cpuinfo.splitlines()
        if line.startswith("flags")
    ]
    assert len(flags) == lab_cell.cpus + lab.engine.spares_first_cpu
    vendor = lab.engine.vendor.value
    wanted = {"svm": {"svm", "npt"}, "vmx": {"vmx", "ept"}}[vendor]
    assert all(wanted <= cpu for cpu in flags)
    # Its flags are wrong under TCG: see lab/engine.py.
    assert lab.engine.accelerator is not Accelerator.TCG or not any("cx16" in cpu for cpu in flags)


def test_kernel_is_the_images(lab: Lab, booted: Booted) -> None:
    assert booted.guest.run("uname -r", check=True).text.strip() == lab.image.kernel_release


def test_no_compiler_and_no_headers(booted: Booted) -> None:
    assert booted.guest.run("type gcc cc make").status != 0
    assert booted.guest.run("ls /usr/src /usr/include /lib/modules/*/build").status != 0


def test_all_processors_run_but_the_one_that_is_spared(
    lab: Lab, lab_cell: Cell, booted: Booted
) -> None:
    allowed = booted.guest.run("grep Cpus_allowed_list /proc/self/status", check=True).text
    first = int(lab.engine.spares_first_cpu)
    last = first + lab_cell.cpus - 1
    assert allowed.split()[1] == (f"{first}-{last}" if first < last else str(first))
