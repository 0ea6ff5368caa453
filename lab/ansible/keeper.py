# SPDX-License-Identifier: BSD-2-Clause
"""A plugin of pytest: the machines of suites are one whole system that Ansible has set up.

``pytest -p lab.ansible.keeper lab/suites/test_hello.py``. The roles run when the first test wants a
machine. There are no snapshots: all tests share it, and undo what they do.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.ansible.play import play
from lab.config import Config
from lab.deploy import MODULE, copy, load_module, unload_module
from lab.errors import Status, die
from lab.guest import Guest
from lab.image.store import content_key, ensure_entry
from lab.lab import Booted, Lab
from lab.options import factor
from lab.reset import Keeper, Policy, Step
from lab.session.cell import Cell
from lab.session.machines import LabKeeper
from lab.sshkey import ensure_keys
from lab.state import State
from lab.system.chroot import Chroot
from lab.system.debs import build_packages
from lab.system.machine import booted_system
from lab.system.spec import load_system_spec
from lab.system.tree import ensure_tree

SYSTEM = "debian-12"
MODULE_PACKAGE = "dune-dkms"
MEMBER = "member"
"""A user that the play makes one of the device's group."""
_AS_A_BARE_GUEST = f"""
rmmod dune
for module in kvm_amd kvm_intel kvm; do [ ! -d /sys/module/$module ] || rmmod $module; done
cp "$(modinfo --filename dune)" {MODULE}
"""
"""Suites begin with no hypervisor in the kernel, and load the module by its path in ``/lab``."""


def variables(lab: Lab) -> dict[str, object]:
    """Return what this machine's user sets: a folder of packages, a user, few packages more.

    What else a host of the lab's needs is not in the machine's repository: most of it emulators.
    """
    packages = build_packages(lab.config, lab.report)
    folder = next(iter(packages.files.values())).parent
    return {
        "privileged_guest_package_directory": str(folder),
        "privileged_guest_users": [MEMBER],
        "lab_host_packages": ["cpio", "kmod", "procps"],
        "lab_host_users": [MEMBER],
    }


def with_module(lab: Lab) -> Path:
    """Return a disk with the system, and in it the module's package, which was compiled there.

    Emulated, that alone takes many minutes. What is left for Ansible is to find it so.
    """
    packages = build_packages(lab.config, lab.report)
    spec = load_system_spec(lab.config.source, SYSTEM)
    tree = ensure_tree(lab.config, spec, lab.report, seed=ensure_keys(lab.config).seed())
    package = packages.files[MODULE_PACKAGE]
    names = (tree.parent.name, package.parents[1].name)
    key = content_key([*(name.encode() for name in names), Path(__file__).read_bytes()])
    entry = lab.config.cache / "disks" / f"{spec.system}-{MODULE_PACKAGE}-{key}"

    def fill(partial: Path) -> None:
        lab.report(f"compiling {MODULE_PACKAGE} in {spec.name}")
        with tempfile.TemporaryDirectory(prefix="dbos-lab-", dir=partial) as scratch:
            files = Chroot(tree, Path(scratch))
            (files.changed / "root").mkdir(parents=True, mode=0o700)
            shutil.copy(package, files.changed / "root" / package.name)
            files.run(f"apt-get update; apt-get --yes install /root/{package.name}")
            files.write_disk(partial / "disk.raw")

    ensure_entry(entry, fill, lab.report)
    return entry / "disk.raw"


@contextmanager
def converged(lab: Lab) -> Iterator[Booted]:
    """Boot the system and have Ansible set it up."""
    with booted_system(lab, SYSTEM, disk=with_module(lab)) as booted:
        recap = play(lab.config, booted.machine, variables(lab))
        if recap.failed or recap.unreachable:
            die(
                "Ansible could not set up the machine.",
                f"less {booted.machine.directory}/ansible.log",
                status=Status.FAILED,
                detail=recap.said[-4000:],
            )
        (booted.machine.directory / "first-play.log").write_text(recap.said)
        yield booted


class ConvergedKeeper(LabKeeper):
    """Gives every test that machine, whatever its cell's profile."""

    def _keeper_of(self, cell: Cell) -> Keeper:
        if self._keeper is None:
            lab = self.lab(cell)
            _ = lab.artefacts

            def deployed(guest: Guest) -> None:
                copy(guest, [path for path in lab.artefacts.programs if path.suffix != ".ko"])
                guest.run(_AS_A_BARE_GUEST, check=True)

            steps = (
                Step(State.BOOTED, lambda _guest: None),
                Step(State.GUEST, deployed),
                Step(
                    State.MODULE_LOADED,
                    lambda guest: load_module(guest, MODULE),
                    lambda guest: unload_module(guest, MODULE),
                ),
            )
            self._keeper = Keeper(lambda _snapshot: converged(lab), steps, Policy.REUSE)
            self._cell = cell
        return self._keeper


def pytest_lab_keeper(config: pytest.Config) -> ConvergedKeeper:
    """Take the place of the lab's own."""
    return ConvergedKeeper(Config.from_environment(), factor(config, "timeout-factor"))
