# SPDX-License-Identifier: BSD-2-Clause
"""What a guest does without anything being wrong, however alarming it looks: no false alarm here.

The counterpart of ``lab.zoo.faults``, for the golden corpus alone.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Ordinary:
    """Something harmless that leaves words on the console or in the kernel log."""

    name: str
    script: str
    """What to run in the guest."""
    arguments: tuple[str, ...] = ()
    """Boot arguments besides the profile's."""
    sources: tuple[str, ...] = ("console", "kmsg")
    """Where its words mean nothing; in another source they would."""
    whole: bool = False
    """Keep everything since the boot, not only what the script added."""
    seconds: float = 120.0


_LOUD = "echo 8 >/proc/sys/kernel/printk; "

_ALARMING = """\
BUG: 12 open, 3 closed
Oops, the file is empty
WARNING: no configuration found, using defaults
INFO: task 7 of 12 done
Call Trace:
 main+0x10
RIP: none
"""
_SENTENCES = """\
searching the log for "Kernel panic - not syncing" and for "kernel BUG at"
test_oops (BUG: unable to handle page fault for address: 0) ... ok
0 x WARNING: CPU: 0 PID: 1 at kernel/fork.c:1, 0 x general protection fault
"""
_VERBATIM = """\
BUG: kernel NULL pointer dereference, address: 0000000000000000
kernel BUG at mm/slub.c:379!
watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [sh:124]
Kernel panic - not syncing: Fatal exception
"""

_BUSY = """
for i in 1 2 3 4 5 6; do
	(find / -xdev -type f | xargs cat | gzip -1 >/tmp/all.$i; rm /tmp/all.$i) 2>/dev/null &
done
wait
"""
_CPU_HOTPLUG = "cd /sys/devices/system/cpu/cpu1; echo 0 >online; echo 1 >online"
_TRAPS = "for what in segfault protection divide opcode breakpoint; do /lab/trap $what; done"


def _print(text: str, target: str = "&1") -> str:
    return f"cat <<'END' >{target}\n{text}END\n"


def _log(text: str) -> str:
    """Make each line a record of user space: facility 1, level 4."""
    lines = "".join(f"<12>{line}\n" for line in text.splitlines())
    return f"while read -r line; do echo \"$line\" >/dev/kmsg; done <<'END'\n{lines}END\n"


ORDINARY = (
    Ordinary("boot", "true", whole=True),
    Ordinary("boot_loud", "true", arguments=("ignore_loglevel",), sources=("console",), whole=True),
    Ordinary("kvm", _LOUD + "modprobe kvm-amd nested=1; ls -l /dev/kvm"),
    Ordinary("dune", _LOUD + "insmod /lab/dune.ko && /lab/hello && rmmod dune"),
    Ordinary("busy", _LOUD + _BUSY),
    Ordinary("cpu_hotplug", _LOUD + _CPU_HOTPLUG),
    Ordinary("backtraces", "echo l >/proc/sysrq-trigger; echo w >/proc/sysrq-trigger"),
    Ordinary("memory_state", "echo m >/proc/sysrq-trigger; echo 3 >/proc/sys/vm/drop_caches"),
    Ordinary("dying_programs", _LOUD + _TRAPS),
    Ordinary("words_on_stdout", _LOUD + _print(_ALARMING + _SENTENCES + _VERBATIM)),
    Ordinary("words_on_console", _print(_ALARMING + _SENTENCES, "/dev/console")),
    Ordinary("sentences_in_log", _log(_SENTENCES)),
    Ordinary("words_in_log", _log(_ALARMING)),
    Ordinary("verbatim_in_log", _log(_VERBATIM), sources=("kmsg",)),
)
