# SPDX-License-Identifier: BSD-2-Clause
"""libdbos takes the hypervisor it finds, says which and why no other, and is the same on each."""

import re

import pytest

from lab.guest import Guest
from lab.session.backend import Backend

pytestmark = [
    pytest.mark.lab_requires("svm"),
    pytest.mark.lab_boot("seed"),
]

CHOSEN = r"^backend (\w+)/\w+, \d+ bits$"


def test_every_access_that_fails_is_told_exactly(backend: Backend) -> None:
    said = backend.run("/lab/faults", check=True).text
    assert said.endswith("faults: ok\n")
    assert len(said.splitlines()) == 15


def test_vector_registers_survive_every_way(backend: Backend) -> None:
    said = backend.run("/lab/vectors", check=True).text
    ways = ["enter", "call", "signal", "fork", "hooked", "leave", "vectors"]
    assert said == "".join(f"{way}: ok\n" for way in ways)


def test_nothing_is_left_of_300_stays(backend: Backend) -> None:
    assert backend.run("/lab/backends", check=True).text.endswith("backends: ok\n")


def test_the_module_is_preferred(module_loaded: Guest, kvm_loaded: Guest) -> None:
    assert module_loaded is kvm_loaded
    said = module_loaded.run("/lab/backends", check=True).text
    assert re.findall(CHOSEN, said, re.M) == ["dune"]
    assert "refused" not in said


def test_without_the_module_it_is_kvm(guest: Guest, kvm_loaded: Guest) -> None:
    assert guest is kvm_loaded
    said = guest.run("/lab/backends", check=True).text
    assert said.startswith("refused dune: No such file or directory\n")
    assert re.findall(CHOSEN, said, re.M) == ["kvm"]
    assert "backend kvm/" in guest.run("/lab/hello", check=True).text
    # What was asked for is not replaced by another.
    failed = guest.run("DBOS_BACKEND=dune /lab/backends")
    assert (failed.status, failed.text) == (1, "refused dune: No such file or directory\n")
    # The error is that of the device that is there.
    failed = guest.run("chmod 600 /dev/kvm; su -s /bin/sh nobody -c /lab/backends")
    assert failed.status == 1
    assert "refused kvm: Permission denied\n" in failed.text
    assert failed.stderr.decode().endswith("Permission denied\n")
    # SIGKILL finds a guest of KVM's as well.
    killed = guest.run("timeout -s KILL 2 /lab/spin 3; status=$?; pidof spin || exit $status")
    assert (killed.text, killed.status) == ("spinning\n", 137)


def test_without_either_both_are_named(guest: Guest) -> None:
    failed = guest.run("/lab/backends")
    assert failed.status == 1
    assert failed.text == (
        "refused dune: No such file or directory\nrefused kvm: No such file or directory\n"
    )
    assert failed.stderr.decode().endswith("No such file or directory\n")


def test_an_unknown_name_is_refused(module_loaded: Guest) -> None:
    failed = module_loaded.run("DBOS_BACKEND=xen /lab/backends")
    assert failed.status == 1
    assert failed.text == ""
    assert failed.stderr.decode().endswith("Invalid argument\n")
    assert module_loaded.run("DBOS_BACKEND= /lab/backends").status == 0
