# SPDX-License-Identifier: BSD-2-Clause
"""SIGKILL reaches a process whose threads are in guest mode with interrupts off."""

import pytest

from lab.deploy import MODULE, load_module, unload_module
from lab.guest import Guest

PART = 1 / 3
"""Of what a command may take, for spinning up, SIGKILL and the end: 20 s on TCG, 80 under Bochs."""

KILL = """
/lab/spin {threads} >/tmp/spin.out & pid=$!
until grep -q spinning /tmp/spin.out; do sleep 0.05; done
kill -KILL $pid
wait $pid
echo status $?
"""


@pytest.mark.parametrize("threads", [1, 2, 6])
def test_sigkill_in_guest_mode_leaves_nothing(guest: Guest, threads: int) -> None:
    load_module(guest, MODULE)
    within = PART * guest.machine.limits.command
    killed = guest.run(KILL.format(threads=threads), timeout=within)
    assert killed.text.endswith("status 137\n"), killed.stderr.decode()
    assert guest.run("pidof spin").status != 0
    users = guest.run("cat /sys/module/dune/refcnt", check=True).text.strip()
    assert users == "0"
    guest.run("/lab/hello", check=True)  # the processors are still good for another guest
    unload_module(guest, MODULE)


def test_other_signals_reach_it_too(module_loaded: Guest) -> None:
    within = PART * module_loaded.machine.limits.command
    stopped = module_loaded.run(
        "timeout -s TERM 2 /lab/spin 2; test $? = 143 && ! pidof spin", timeout=within
    )
    assert stopped.status == 0
