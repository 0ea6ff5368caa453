# SPDX-License-Identifier: BSD-2-Clause
"""Programs that know libdbos as it is installed, and programs that know nothing of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lab.guest import Guest
from lab.session.backend import Backend

pytestmark = [pytest.mark.lab_requires("svm"), pytest.mark.lab_boot("seed")]

RUN = "/lab/dbos run /lab/unmodified"
LEVELS = """\
main 0
thread 0
pthread_exit 0
C11 thread 0
fork and its thread 00
spawn 0
fork and exec 0
"""


def test_a_program_links_with_either_library(backend: Backend) -> None:
    # Often enough for its segment and its heap to be in two neighbourhoods.
    shared = "for i in 1 2 3 4 5 6 7 8; do /lab/installed-shared; done"
    ran = backend.run(f"{shared}; /lab/installed-archive", check=True)
    assert ran.text == "installed: vCPU 0, 1 fault, ok\n" * 9


def test_the_first_program_does_what_it_says(backend: Backend) -> None:
    said = "fault: mended\nremapped: there\ncall: run by vCPU 1, for vCPU 0\n"
    assert backend.run("/lab/first", check=True).text == said


def test_threads_and_children_of_an_unmodified_program_are_privileged(backend: Backend) -> None:
    assert backend.run("/lab/unmodified levels", check=True).text == LEVELS.replace("0", "3")
    ran = backend.run(f"DBOS_TRACE=1 {RUN} levels")
    assert (ran.status, ran.text, ran.stderr) == (0, LEVELS, b"")
    assert backend.run(f"{RUN} many 24", check=True).text == "24 of 24 threads inside\n"
    assert backend.run(f"{RUN} again 40", check=True).text == "again: ok\n"
    assert backend.run(f"{RUN} stack", check=True).text == "stack 0\n"


def test_a_program_does_not_meet_our_descriptors(backend: Backend) -> None:
    closed = "first 3\nchild 00\nthread 0\n"
    assert backend.run(f"{RUN} closes", check=True).text == closed


def test_a_program_ends_as_it_would_have(backend: Backend) -> None:
    statuses = "; echo $?; ".join(f"{RUN} {end}" for end in ("exit 7", "kill 15", "kill 9"))
    assert backend.run(f"{statuses}; echo $?").text.split() == ["7", "143", "137"]


REFUSED = {
    "nothing": (127, "dbos: nothing: No such file or directory"),
    "/lab/nothing": (127, "dbos: /lab/nothing: No such file or directory"),
    "/tmp": (126, "dbos: /tmp: Is a directory"),
    "/etc/inittab": (126, "dbos: /etc/inittab: Permission denied"),
    "/tmp/empty": (126, "dbos: /tmp/empty is not a program"),
    "/tmp/loop": (126, "dbos: /tmp/loop: Too many levels of symbolic links"),
    "/tmp/setuid": (124, "dbos: /tmp/setuid is setuid, setgid or has capabilities, so"),
    # busybox, which is static.
    "/tmp/script": (124, "dbos: /bin/sh is linked statically, so nothing can be preloaded"),
    "--": (125, "usage: dbos run"),
}


def test_what_cannot_be_run_privileged_is_said(module_loaded: Guest) -> None:
    module_loaded.run(
        "cd /tmp; : >empty; echo '#!/bin/sh' >script; echo '#!/tmp/loop' >loop; "
        "cp /lab/unmodified setuid; chown nobody setuid; chmod 4755 setuid empty script loop; "
        "printf '#!/lab/unmodified level\n' >works; chmod +x works",
        check=True,
    )
    for program, (status, says) in REFUSED.items():
        ran = module_loaded.run(f"/lab/dbos run {program}")
        assert (ran.status, ran.text) == (status, "")
        assert ran.stderr.decode().startswith(says), program
    assert module_loaded.run("/lab/dbos run /tmp/works").status == 0  # a script's level is 0
    assert module_loaded.run("PATH=/none:/lab /lab/dbos run -- unmodified exit 3").status == 3


def test_without_a_hypervisor_it_says_what_to_type(guest: Guest) -> None:
    ran = guest.run(f"{RUN} levels")
    assert (ran.status, ran.text) == (125, "")
    assert ran.stderr.decode() == (
        "dbos: no hypervisor can be used: dune: No such file or directory, "
        "kvm: No such file or directory.\n"
        "dbos: as root: modprobe dune || modprobe kvm_amd\n"
    )
    # Whoever runs it is not to lose what the environment preloads anyway.
    ran = guest.run(f"insmod /lab/dune.ko && LD_PRELOAD=/lab/libdbos.so.0 {RUN} levels")
    assert (ran.status, ran.text) == (0, LEVELS)
    ran = guest.run(f"su -s /bin/sh nobody -c '{RUN} levels'")
    assert ran.status == 125
    assert ran.stderr.decode().endswith("dbos: as root: usermod -aG dune,kvm USER\n")


@dataclass(frozen=True)
class Stat:
    """What ``dbos stat`` says of a process: the lines of its vCPUs, and of all of them."""

    threads: dict[str, str]
    numbers: dict[str, list[str]]


COLUMNS = ["exits", "faults", "syscalls", "flushed", "all-flushes", "interrupts", "frames"]
SYSCALLS = COLUMNS.index("syscalls")


def stats(text: str, backend: str) -> list[Stat]:
    """Read what several of them say, one behind the other."""
    begin = f"backend {backend}\n"
    assert text.startswith(begin), text
    found = []
    for block in text.split(begin)[1:]:
        head, *rows = [line.split() for line in block.splitlines()]
        assert head == ["vCPU", "thread", *COLUMNS]
        found.append(
            Stat({row[0]: row[1] for row in rows}, {row[0]: list(row[2:]) for row in rows})
        )
    return found


def test_stat_counts_exactly(backend: Backend) -> None:
    said = backend.run(f"{RUN} counted 1233", check=True).text
    early, first, second, third = stats(said, backend.name)
    assert list(first.threads) == ["0", "1", "sum"]
    assert first.threads["0"].isdigit()
    assert first.threads["1"] == "-"
    calls = [int(stat.numbers["0"][SYSCALLS]) for stat in (first, second, third)]
    assert (calls[2] - calls[1]) - (calls[1] - calls[0]) == 1233
    for stat in (first, second, third):
        for row in stat.numbers.values():
            assert int(row[0]) >= int(row[SYSCALLS])
        for column in range(len(COLUMNS)):
            parts = [stat.numbers[vcpu][column] for vcpu in ("0", "1")]
            total = "-" if "-" in parts else str(sum(map(int, parts)))
            assert stat.numbers["sum"][column] == total
    faults = first.numbers["0"][1]
    assert faults == "-" if backend.name == "kvm" else int(faults) > 100
    # Threads that have ended count still, and no more.
    assert first.numbers["1"] == third.numbers["1"]
    assert int(first.numbers["1"][SYSCALLS]) > int(early.numbers["1"][SYSCALLS]) > 1


def test_stat_says_why_it_cannot(module_loaded: Guest) -> None:
    told = module_loaded.run(
        f"mkfifo /tmp/in; {RUN} wait </tmp/in >/tmp/pid & exec 3>/tmp/in\n"
        "while [ ! -s /tmp/pid ]; do sleep 0.1; done; read -r pid </tmp/pid\n"
        "stat() { /lab/dbos stat $1 >/dev/null; echo $?; }\n"
        'stat $pid; su -s /bin/sh nobody -c "/lab/dbos stat $pid"; echo $?\n'
        "kill -9 $pid; wait; stat $pid; stat $$; stat 2; stat 0x1\n"
    )
    assert told.text.split() == ["0", "3", "1", "2", "2", "1"]
    lines = told.stderr.decode().splitlines()
    wanted = ("Permission denied", "not exist", "not priv", "not priv", "not exist")
    said = [line for line in lines if line.startswith("dbos: ")]
    for line, says in zip(said, wanted, strict=True):
        assert says in line
