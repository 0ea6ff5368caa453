# SPDX-License-Identifier: BSD-2-Clause
"""The Debian packages in the life of one system: install, upgrade, another kernel, use, remove.

Each test goes on where the one before has ended. DKMS compiles in the system's files alone, at the
host's speed, for an emulated machine takes several minutes to compile a module; what came of it is
then booted, used, and removed in a machine. ``make check-packages``, as root.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Iterator

import pytest

from lab.guest import Guest
from lab.lab import Booted, Lab
from lab.sshkey import ensure_keys
from lab.system.chroot import Chroot
from lab.system.debs import Packages, build_packages
from lab.system.machine import booted_system, reboot
from lab.system.repository import add_packages, write_index
from lab.system.spec import load_system_spec
from lab.system.tree import ensure_tree
from lab.verdict.kernel_log import complaints, parse, read_command

pytestmark = pytest.mark.lab_boot("seed")

SYSTEM = "debian-12"
NEWER = "0.1.1"
OURS = "srv/dbos"
"""Where the system's apt finds our packages, beside Debian's."""
COMPILE = "cc -o /root/installed /root/installed.c $(pkg-config --cflags --libs dbos)"
PLACES = "/lib/modules/*/updates /usr/src /usr/lib /usr/include /usr/bin /lib/udev /var/lib/dkms"
GRUB = "/boot/grub/grub.cfg"


@pytest.fixture(scope="module")
def files(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Chroot:
    """The system's files, with what earlier tests changed in them."""
    keys = ensure_keys(lab.config)
    spec = load_system_spec(lab.config.source, SYSTEM)
    tree = ensure_tree(lab.config, spec, lab.report, seed=keys.seed())
    chroot = Chroot(tree, tmp_path_factory.mktemp("system"))
    # Nobody can ask a folder which disk GRUB shall boot from.
    chroot.run(f"mv {GRUB} {GRUB}.first")
    return chroot


@pytest.fixture(scope="module")
def system(lab: Lab, files: Chroot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Booted]:
    """A machine with these files as they are when the first test asks for it."""
    disk = tmp_path_factory.mktemp("disk") / "disk.raw"
    files.run(f"mv {GRUB}.first {GRUB}")
    files.write_disk(disk)
    with booted_system(lab, SYSTEM, disk=disk) as booted:
        yield booted


@pytest.fixture
def debian(system: Booted) -> Iterator[Guest]:
    """A login on it. Afterwards its kernel must not have complained, since it booted."""
    yield system.guest
    if system.machine.alive:
        log = system.guest.run(read_command(secrets.token_hex(8)), check=True).text
        assert complaints(parse(log)) == ()


def offer(files: Chroot, packages: Packages) -> None:
    """Make a repository of our packages in the system, and have its apt read it."""
    repository = files.changed / OURS
    shutil.rmtree(repository, ignore_errors=True)
    repository.mkdir(parents=True)
    write_index(repository, "bookworm", "")
    add_packages(repository, "bookworm", packages.files.values())
    line = f"deb [trusted=yes] file:/{OURS} ./"
    files.run(f"echo '{line}' >/etc/apt/sources.list.d/dbos.list; apt-get update")


def kernels_of(status: str, version: str) -> set[str]:
    """Return the kernels that DKMS has this version of the module for, and no other version."""
    found = re.findall(r"^dune/(\S+), (\S+), x86_64: installed", status, re.M)
    assert {one for one, _ in found} == {version}, status
    return {kernel for _, kernel in found}


def assert_modules_fit(files: Chroot, kernels: set[str]) -> None:
    """Check that each kernel has a module of its own, as it was compiled."""
    for kernel in kernels:
        said = files.run(f"modinfo --set-version {kernel} --field vermagic dune")
        assert said.split()[0] == kernel


def assert_works(guest: Guest) -> None:
    """Load the module; run a program that was compiled against the library, and one that was not.

    The second knows nothing of it.
    """
    guest.run("modprobe dune && udevadm settle", check=True)
    assert guest.run("/root/installed", check=True).text == "installed: vCPU 0, 1 fault, ok\n"
    told = guest.run("DBOS_BACKEND=dune dbos run uname -r", check=True).text
    assert told == guest.run("uname -r", check=True).text


def test_they_install_and_the_module_is_compiled_for_the_kernel(lab: Lab, files: Chroot) -> None:
    packages = build_packages(lab.config, lab.report)
    offer(files, packages)
    files.run(f"apt-get --yes install pkgconf {' '.join(packages.files)}")
    kernels = set(files.run("ls /lib/modules").split())
    assert kernels_of(files.run("dkms status"), packages.version) == kernels
    assert_modules_fit(files, kernels)
    assert files.run("ls /usr/src").split()[0] == f"dune-{packages.version}"


def test_an_upgrade_replaces_module_and_library(lab: Lab, files: Chroot) -> None:
    packages = build_packages(lab.config, lab.report, version=NEWER)
    offer(files, packages)
    upgraded = files.run("apt-get --yes upgrade")
    for name in packages.files:
        assert f"Setting up {name} ({NEWER})" in upgraded
    kernels = set(files.run("ls /lib/modules").split())
    assert kernels_of(files.run("dkms status"), NEWER) == kernels
    assert_modules_fit(files, kernels)
    assert files.run("ls -d /usr/src/dune-*") == f"/usr/src/dune-{NEWER}\n"


def test_another_kernel_gets_its_own_module(files: Chroot) -> None:
    before = set(files.run("ls /lib/modules").split())
    # Without a word about dune: the kernel's own scripts call DKMS.
    files.run("apt-get --yes install linux-headers-cloud-amd64 linux-image-cloud-amd64")
    kernels = set(files.run("ls /lib/modules").split())
    [new] = kernels - before
    assert new.endswith("-cloud-amd64")
    assert kernels_of(files.run("dkms status"), NEWER) == kernels
    assert_modules_fit(files, kernels)


def test_a_program_is_compiled_against_the_library_and_runs(debian: Guest, lab: Lab) -> None:
    debian.put(lab.config.source / "tests/guest/installed/installed.c", "/root/installed.c")
    debian.run(COMPILE, check=True)
    assert "libdbos.so.0 => /lib/x86_64-linux-gnu/" in debian.run("ldd /root/installed").text
    assert_works(debian)


def test_the_group_may_open_the_device_and_others_may_not(debian: Guest) -> None:
    device = debian.run("stat --format '%U %G %a' /dev/dune", check=True).text
    assert device == "root dune 660\n"
    debian.run("useradd --groups dune member && useradd stranger", check=True)
    run = "DBOS_BACKEND=dune dbos run true"
    assert debian.run(f"su member -c '{run}'").status == 0
    refused = debian.run(f"su stranger -c '{run}'")
    assert refused.status == 125
    assert b"usermod -aG dune" in refused.stderr


def test_it_works_on_the_other_kernel_too(debian: Guest, system: Booted) -> None:
    old = debian.run("uname -r", check=True).text
    debian.run("update-grub", check=True)
    reboot(system)
    new = debian.run("uname -r", check=True).text
    assert new != old
    assert new.endswith("-cloud-amd64\n")
    assert_works(debian)


def test_nothing_is_left_when_they_are_removed(debian: Guest) -> None:
    debian.run("rmmod dune", check=True)
    remove = "DEBIAN_FRONTEND=noninteractive apt-get --yes purge dune-dkms libdbos0"
    debian.run(remove, timeout=600, check=True)  # the others need the library
    assert debian.run("dkms status", check=True).text == ""
    assert b"not found" in debian.run("modprobe dune").stderr
    assert debian.run(rf"find {PLACES} -name '*dune*' -o -name '*dbos*'").text == ""
    assert debian.run("dpkg --list | grep -e dbos -e dune").status == 1
