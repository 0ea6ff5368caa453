# SPDX-License-Identifier: BSD-2-Clause
"""A stand-in for Bochs: reads its configuration, writes its log, plays one of a few fates.

The fate is in FAKE_BOCHS. ``taken:N`` finds N ports taken, one at each start.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

HERE = "[0x000001c01510] 0010:ffffffff81c01510 (unk. ctxt): push r9                   ; 4151"


def main() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as the real one, whose debugger takes it
    fate = os.environ.get("FAKE_BOCHS", "ready")
    config = Path(sys.argv[sys.argv.index("-f") + 1])
    text = config.read_text()
    log = value(text, r'^log: "(.*)"$').open("w", buffering=1)
    console = value(text, r'^com1: .*dev="(.*)"$').open("wb", buffering=0)
    assert os.environ["TERM"] == "dumb"
    assert Path(sys.argv[sys.argv.index("-rc") + 1]).read_text().startswith("continue\n")
    assert value(text, r'^optromimage1: file="(.*)",').stat().st_size == 2048
    assert value(text, r'^optramimage1: file="(.*)",').read_bytes().startswith(b"pad ")
    log.write("00000000000i[SYS   ] bx_pc_system_c::Reset(HARDWARE) called\n")
    if fate == "refuse":
        log.write("00000000000p[CPU0  ] >>PANIC<< no such model\n")
        sys.exit(1)
    if fate == "mute":
        time.sleep(60)
    if fate.startswith("taken:"):
        before = config.with_name("starts")
        starts = int(before.read_text()) if before.exists() else 0
        before.write_text(str(starts + 1))
        if starts < int(fate.removeprefix("taken:")):
            rule = value(text, r'script="(.*)"$').read_text().split()[-1]
            log.write(f"0e[SLIRP0] could not set up host forwarding rule '{rule}'\n")
    log.write("00000000000i[E1000A] E1000 initialized\n")
    play(fate, console.write, log.write)
    time.sleep(60)


def play(fate: str, write, log) -> None:  # type: ignore[no-untyped-def]
    time.sleep(0.1)
    if fate == "panic":
        write(b"Kernel panic - not sync")
        time.sleep(0.1)
        write(b"ing: for a test\n")
        time.sleep(0.2)
        write(b"---[ end of the backtrace ]---\n")
        sys.exit(1)
    if fate == "reboot":
        log("09000000000i[SYS   ] bx_pc_system_c::Reset(HARDWARE) called\n")
        log("09000000001p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution\n")
        sys.exit(1)
    if fate == "poweroff":
        log("09000000000p[ACPI  ] >>PANIC<< ACPI control: soft power off\n")
        sys.exit(1)
    if fate == "shutdown":
        log("09000000001p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution\n")
        print(f"(0).[9000000001] {HERE}\nNext at t=9000000002\n(0) {HERE}", flush=True)
        return
    write(b"dbos-lab: ready\n")


def value(text: str, pattern: str) -> Path:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, (pattern, text)
    return Path(found[1])


if __name__ == "__main__":
    main()
