# SPDX-License-Identifier: BSD-2-Clause
"""Traces as kernels 6.1 and 6.12 print them (shortened), and any frame with any prefix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.crash.stack import Frame, fatal, traces

SYSRQ = """\
dbos-lab: ready
[    4.601625] sysrq: Trigger a crash
[    4.601625] Kernel panic - not syncing: sysrq triggered crash
[    4.601625] CPU: 1 PID: 121 Comm: sh Not tainted 6.1.0-56-amd64 #1  Debian 6.1.192-2
[    4.601625] Call Trace:
[    4.601625]  <TASK>
[    4.601625]  dump_stack_lvl+0x44/0x5c
[    4.601625]  panic+0x118/0x2f4
[    4.601625]  ? _printk+0x68/0x83
[    4.601625]  __handle_sysrq.cold+0x44/0x11c
[    4.601625]  entry_SYSCALL_64_after_hwframe+0x6e/0xd8
[    4.601625] RIP: 0033:0x47b7a0
[    4.601625] Code: 40 00 48 c7 c2 <48> 3d 00
[    4.601625] RAX: ffffffffffffffda RBX: 0000000000000001 RCX: 000000000047b7a0
[    4.601625]  </TASK>
[    4.601625] Kernel Offset: 0x2ae00000 from 0xffffffff81000000
"""

OOPS = """\
[   12.1][  T128] WARNING: CPU: 0 PID: 90 at /src/kern/vm.c:20 vm_get+0x1/0x20 [dune]
[   12.1][  T128] Modules linked in: dune(OE) kvm
[   12.1][  T128] CPU: 0 UID: 0 PID: 90 Comm: hello Tainted: G OE 6.12.5 #1
[   12.1][  T128] RIP: 0010:vm_get+0x1/0x20 [dune]
[   12.1][  T128] Code: 0f 0b <c3>
[   12.1][  T128] Call Trace:
[   12.1][  T128]  <TASK>
[   12.1][  T128]  dune_ioctl+0x80/0x100 [dune]
[   12.1][  T128]  </TASK>
[   12.1][  T128] ---[ end trace 0000000000000000 ]---
[   13.0][  T128] BUG: kernel NULL pointer dereference, address: 0000000000000010
[   13.0][  T128] #PF: supervisor read access in kernel mode
[   13.0][  T128] PGD 0 P4D 0
[   13.0][  T128] Oops: Oops: 0000 [#1] PREEMPT SMP NOPTI
[   13.0][  T128] CPU: 1 UID: 0 PID: 128 Comm: hello Tainted: G W OE 6.12.5 #1
[   13.0][  T128] RIP: 0010:vcpu_run+0x15/0x400 [dune 0123456789abcdef0123456789abcdef01234567]
[   13.0][  T128] Code: 00 00 48 <8b> 47 10
[   13.0][  T128] RSP: 0018:ffffc90000123e48 EFLAGS: 00010246
[   13.0][  T128] Call Trace:
[   13.0][  T128]  <TASK>
[   13.0][  T128]  ? __die+0x23/0x70
[   13.0][  T128]  dune_ioctl+0x9c/0x100 [dune 0123456789abcdef0123456789abcdef01234567]
[   13.0][  T128]  __x64_sys_ioctl+0x91/0xd0
[   13.0][  T128] RIP: 0033:0x7f0000000000
[   13.0][  T128]  </TASK>
[   13.0][  T128] ---[ end trace 0000000000000000 ]---
[   13.0][  T128] RIP: 0010:vcpu_run+0x15/0x400 [dune]
[   13.0][  T128] Kernel panic - not syncing: Fatal exception
[   13.0][  T128] Kernel Offset: disabled
"""


def test_a_panic_by_itself() -> None:
    trace = fatal(SYSRQ)
    assert trace is not None
    assert trace.title == "Kernel panic - not syncing: sysrq triggered crash"
    assert trace.task.startswith("CPU: 1 PID: 121 Comm: sh")
    assert [str(frame) for frame in trace.frames] == [
        "dump_stack_lvl+0x44/0x5c",
        "panic+0x118/0x2f4",
        "_printk+0x68/0x83",
        "__handle_sysrq.cold+0x44/0x11c",
        "entry_SYSCALL_64_after_hwframe+0x6e/0xd8",
    ]
    assert [frame.reliable for frame in trace.frames] == [True, True, False, True, True]
    assert trace.code == ""  # the process's, not the kernel's


def test_an_oops_that_became_a_panic_has_the_oops_stack_and_both_titles() -> None:
    trace = fatal(OOPS)
    assert trace is not None
    assert trace.title == (
        "BUG: kernel NULL pointer dereference, address: 0000000000000010; "
        "Kernel panic - not syncing: Fatal exception"
    )
    assert trace.frames[0] == Frame("vcpu_run", 0x15, 0x400, "dune", is_return=False)
    assert [frame.symbol for frame in trace.frames[1:]] == [
        "__die",
        "dune_ioctl",
        "__x64_sys_ioctl",
    ]
    assert trace.frames[2].module == "dune"
    assert all(frame.is_return for frame in trace.frames[1:])
    assert trace.code == "00 00 48 <8b> 47 10"


def test_each_stack_is_one_trace_and_registers_printed_twice_are_none() -> None:
    titles = [trace.title.split(",")[0] for trace in traces(OOPS)]
    assert titles == [
        "WARNING: CPU: 0 PID: 90 at /src/kern/vm.c:20 vm_get+0x1/0x20 [dune]",
        "BUG: kernel NULL pointer dereference",
    ]


def test_a_stack_without_a_title() -> None:
    text = "CPU: 0 PID: 1 Comm: init\nCall Trace:\n dump_stack+0x1/0x2\n </TASK>\n"
    [trace] = traces(text)
    assert (trace.title, trace.frames) == ("", (Frame("dump_stack", 1, 2),))


@pytest.mark.parametrize("text", ["", "all is well\n", "Kernel panic - not syncing: x\nCPU: 0\n"])
def test_no_stack_is_no_trace(text: str) -> None:
    assert traces(text) == ()
    assert fatal(text) is None


FRAMES = st.builds(
    Frame,
    symbol=st.from_regex(r"[a-z_][a-z0-9_]{0,12}(\.(cold|isra\.0|part\.1))?", fullmatch=True),
    offset=st.integers(0, 1 << 20),
    size=st.integers(1, 1 << 20),
    module=st.just("") | st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True),
    reliable=st.booleans(),
)
STAMPS = st.sampled_from(
    ["", "[   13.000001] ", "[   13.1][  T128] ", "<4>[ 13.1] ", "[1.1][ C1] "]
)


@given(st.lists(FRAMES, min_size=1, max_size=30), STAMPS, st.sampled_from(["\n", "\r\n"]))
def test_any_frames_come_back(frames: list[Frame], stamp: str, newline: str) -> None:
    body = [f" {'' if frame.reliable else '? '}{frame}" for frame in frames]
    lines = ["BUG: something", "Call Trace:", " <TASK>", *body, " </TASK>"]
    [trace] = traces("".join(f"{stamp}{line}{newline}" for line in lines))
    assert trace.frames == tuple(frames)
    assert trace.title == "BUG: something"
