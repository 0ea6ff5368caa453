# SPDX-License-Identifier: BSD-2-Clause
"""Complaints that the kernels of images/ are not built to make, and what only sounds like one.

All samples here are written by hand in the format of the kernel's sources and documentation
(Documentation/dev-tools, Documentation/locking/lockdep-design.rst). Real ones: tests/golden.
"""

from __future__ import annotations

import pytest

from lab.verdict.frames import culprit, is_bystander
from lab.verdict.patterns import FAMILIES, TRIGGER
from lab.verdict.scanner import scan

HAND_WRITTEN = {
    "KASAN: slab-use-after-free in zoo_use": """
==================================================================
BUG: KASAN: slab-use-after-free in zoo_use+0x2c/0x40 [zoo]
Read of size 4 at addr ffff888006d5a000 by task sh/124

CPU: 0 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x44/0x5c
 print_report+0x16a/0x460
 kasan_report+0xc1/0xf0
 zoo_use+0x2c/0x40 [zoo]
 </TASK>

Allocated by task 124:
 kasan_save_stack+0x1c/0x40
 zoo_alloc+0x20/0x30 [zoo]
==================================================================
Disabling lock debugging due to kernel taint
""",
    "KASAN: slab-out-of-bounds in zoo_copy": """
BUG: KASAN: slab-out-of-bounds in memcpy+0x39/0x60
Write of size 65 at addr ffff888006d5a000 by task sh/124
Call Trace:
 dump_stack_lvl+0x44/0x5c
 kasan_check_range+0x10c/0x1c0
 memcpy+0x39/0x60
 zoo_copy+0x2c/0x40 [zoo]
""",
    "Bad rss-counter state": """
BUG: Bad rss-counter state mm:0000000012345678 type:MM_ANONPAGES val:1
""",
    "UBSAN: array-index-out-of-bounds in zoo_index": """
================================================================================
UBSAN: array-index-out-of-bounds in /lab/zoo/memory.c:71:9
index 4 is out of range for type 'int [4]'
CPU: 0 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
Call Trace:
 <TASK>
 dump_stack_lvl+0x44/0x5c
 __ubsan_handle_out_of_bounds+0x6c/0x90
 zoo_index+0x3a/0x50 [zoo]
 </TASK>
================================================================================
""",
    "lockdep: possible circular locking dependency in zoo_ab": """
======================================================
WARNING: possible circular locking dependency detected
6.1.0 #1 Tainted: G           OE
------------------------------------------------------
sh/124 is trying to acquire lock:
ffffffffc0262120 (zoo_a){+.+.}-{3:3}, at: zoo_ab+0x2e/0x60 [zoo]

but task is already holding lock:
ffffffffc02620c0 (zoo_b){+.+.}-{3:3}, at: zoo_ab+0x20/0x60 [zoo]

which lock already depends on the new lock.

the existing dependency chain (in reverse order) is:

-> #1 (zoo_b){+.+.}-{3:3}:
       __mutex_lock+0x9c/0xe80
       zoo_ba+0x30/0x60 [zoo]

other info that might help us debug this:

 Possible unsafe locking scenario:

       CPU0                    CPU1
       ----                    ----
  lock(zoo_b);
                               lock(zoo_a);
                               lock(zoo_b);
  lock(zoo_a);

 *** DEADLOCK ***

stack backtrace:
CPU: 0 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
Call Trace:
 dump_stack_lvl+0x44/0x5c
""",
    "lockdep: suspicious RCU usage in zoo_deref": """
=============================
WARNING: suspicious RCU usage
6.1.0 #1 Tainted: G           OE
-----------------------------
/lab/zoo/locking.c:40 suspicious rcu_dereference_check() usage!
stack backtrace:
Call Trace:
 lockdep_rcu_suspicious+0x14f/0x1b0
 zoo_deref+0x50/0x60 [zoo]
""",
    "lockdep: bad unlock balance in zoo_unlock": """
WARNING: bad unlock balance detected!
sh/124 is trying to release lock (zoo_a) at:
stack backtrace:
Call Trace:
 lock_release+0x1f1/0x400
 mutex_unlock+0x12/0x20
 zoo_unlock+0x50/0x60 [zoo]
""",
    "lockdep: Invalid wait context in zoo_wait": """
[ BUG: Invalid wait context ]
6.1.0 #1 Tainted: G           OE
sh/124 is trying to lock:
ffffffffc0262120 (zoo_a){+.+.}-{3:3}, at: zoo_wait+0x2e/0x60 [zoo]
""",
    "sleeping function called from invalid context in zoo_sleep": """
BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580
in_atomic(): 1, irqs_disabled(): 0, non_block: 0, pid: 124, name: sh
CPU: 0 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
Call Trace:
 dump_stack_lvl+0x44/0x5c
 __might_resched.cold+0x13a/0x15e
 mutex_lock+0x20/0x60
 zoo_sleep+0x2e/0x60 [zoo]
""",
    "kmemleak: suspected memory leaks": """
kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)
""",
    "kmemleak: leak in zoo_leak": """
unreferenced object 0xffff888006d5a000 (size 64):
  comm "sh", pid 124, jiffies 4294894652 (age 30.100s)
  hex dump (first 32 bytes):
    00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  ................
  backtrace:
    [<00000000c3a6f0a1>] kmalloc_trace+0x27/0xa0
    [<000000008b1a2e3d>] zoo_leak+0x1e/0x30 [zoo]
""",
    "hard lockup in zoo_spin": """
NMI watchdog: Watchdog detected hard LOCKUP on cpu 1
Modules linked in: zoo(OE)
CPU: 1 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
RIP: 0010:zoo_spin+0x5/0x10 [zoo]
Kernel panic - not syncing: Hard LOCKUP
""",
    "workqueue lockup": """
BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 35s!
Showing busy workqueues and worker pools:
""",
    "double fault in zoo_recursion": """
traps: PANIC: double fault, error_code: 0x0
double fault: 0000 [#1] PREEMPT SMP NOPTI
CPU: 0 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
RIP: 0010:zoo_recursion+0x5/0x30 [zoo]
Kernel panic - not syncing: Fatal exception in interrupt
""",
    "FORTIFY: buffer overflow in zoo_copy": """
detected buffer overflow in memcpy
------------[ cut here ]------------
kernel BUG at lib/string_helpers.c:1027!
invalid opcode: 0000 [#1] PREEMPT SMP NOPTI
CPU: 0 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
RIP: 0010:fortify_panic+0x13/0x15
Call Trace:
 <TASK>
 zoo_copy+0x2c/0x40 [zoo]
""",
    "FORTIFY: field-spanning write in zoo_copy": """
------------[ cut here ]------------
memcpy: detected field-spanning write (size 8) of single field "&a->b" at zoo.c:9 (size 4)
WARNING: CPU: 0 PID: 124 at /lab/zoo/memory.c:9 zoo_copy+0x2c/0x40 [zoo]
""",
    "NETDEV WATCHDOG": """
------------[ cut here ]------------
NETDEV WATCHDOG: eth0 (e1000): transmit queue 0 timed out
WARNING: CPU: 0 PID: 0 at net/sched/sch_generic.c:525 dev_watchdog+0x1fc/0x210
""",
    "machine check": """
mce: [Hardware Error]: CPU 0: Machine Check Exception: 5 Bank 0: b200000000000000
""",
    "bad page state in process sh": """
BUG: Bad page state in process sh  pfn:06d5a
page:0000000012345678 refcount:0 mapcount:-127 mapping:0000000000000000 index:0x0 pfn:0x6d5a
""",
    "irq 10: nobody cared": """
irq 10: nobody cared (try booting with the "irqpoll" option)
CPU: 0 PID: 0 Comm: swapper/0 Tainted: G           OE      6.1.0 #1
""",
    "page allocation failure in zoo_alloc": """
sh: page allocation failure: order:10, mode:0xcc0(GFP_KERNEL), nodemask=(null)
CPU: 0 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
Call Trace:
 dump_stack_lvl+0x44/0x5c
 warn_alloc+0x132/0x1b0
 __alloc_pages_slowpath.constprop.0+0xd8a/0xdc0
 __alloc_pages+0x30a/0x330
 zoo_alloc+0x2c/0x40 [zoo]
""",
    "unable to mount root": """
Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)
""",
    "stack corrupted in zoo_smash": """
Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: zoo_smash+0x2c/0x40 [zoo]
""",
    "WARNING in zoo_warn": """
------------[ cut here ]------------
BUG: these are the words of a WARN()
WARNING: /lab/zoo/complaint.c:9 at zoo_warn+0x2c/0x40 [zoo], CPU#0: sh/124
""",
    "BUG: spinlock bad magic on CPU#0, sh/124 in zoo_lock": """
BUG: spinlock bad magic on CPU#0, sh/124
 lock: 0xffffffffc0262120, .magic: 00000000, .owner: <none>/-1, .owner_cpu: 0
CPU: 0 PID: 124 Comm: sh Tainted: G           OE      6.1.0 #1
Call Trace:
 dump_stack_lvl+0x44/0x5c
 do_raw_spin_lock+0x6b/0xa0
 zoo_lock+0x2c/0x40 [zoo]
""",
}

HARMLESS = (
    "Command line: console=ttyS0 panic=-1 oops=panic softlockup_panic=1 quiet",
    "Kernel command line: console=ttyS0 panic=-1 oops=panic",
    "Booting paravirtualized kernel on bare hardware",
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on",
    'audit: type=1701 audit(1700000000.1:5): pid=9 comm="BUG: " sig=11 res=1',
    "dbos-lab: the test expects BUG: kernel NULL pointer dereference, address: 0",
    "zoo[124]: segfault at 0 ip 0000000000401136 sp 00007ffd error 4 in BUG: [401000+1000]",
    "x86/fpu: x87 FPU will use FXSAVE",
    "[Firmware Bug]: TSC doesn't count with P0 frequency!",
    "ACPI BIOS Warning (bug): Optional FADT field Pm2ControlBlock has valid Length",
    "mce: CPU0: Thermal monitoring enabled (TM1)",
    "kmemleak: Automatic memory scanning thread started",
    "zoo: loading out-of-tree module taints kernel.",
    "rcu: INFO: Stall ended before state dump start",
    "clocksource: timekeeping watchdog on CPU0: Marking clocksource 'tsc' as unstable",
    "INFO: NMI handler (perf_event_nmi_handler) took too long to run: 1.234 msecs",
    "INFO: lockdep is turned off.",
    "WARNING: can't access registers at asm_sysvec_apic_timer_interrupt+0x16/0x20",
    "WARNING: the mand mount option is being deprecated and",
)


def stamped(text: str) -> bytes:
    return "".join(f"[    1.000000] {line}\r\n" for line in text.strip().splitlines()).encode()


@pytest.mark.parametrize("title", HAND_WRITTEN)
def test_a_hand_written_sample_gets_its_title(title: str) -> None:
    sample = stamped(HAND_WRITTEN[title])
    for kernel_only in (False, True):
        assert [report.title for report in scan(sample, kernel_only=kernel_only)] == [title]


def test_a_report_ends_where_the_kernel_marks_its_end() -> None:
    (report,) = scan(stamped(HAND_WRITTEN["KASAN: slab-use-after-free in zoo_use"]))
    assert report.text.endswith("zoo_alloc+0x20/0x30 [zoo]\n" + 66 * "=")


@pytest.mark.parametrize("line", HARMLESS)
def test_what_only_sounds_like_a_complaint_is_none(line: str) -> None:
    trace = "\nCall Trace:\n zoo_write+0xbe/0x110 [zoo]\n"
    for text in (line, line + trace):
        assert scan(stamped(text), kernel_only=True) == ()
        assert scan(text.encode()) == ()


def test_vague_words_count_only_where_the_kernel_must_have_written_them() -> None:
    words = "WARNING: of any kind\n"
    trace = "Call Trace:\n zoo_write+0xbe/0x110 [zoo]\n"
    assert scan(stamped(words)) == ()
    assert [r.title for r in scan(stamped(words), kernel_only=True)] == ["WARNING: of any kind"]
    assert [r.title for r in scan(stamped(words + trace))] == ["WARNING: of any kind in zoo_write"]


def test_the_search_misses_no_line_that_a_family_would_recognise() -> None:
    lines = [line for text in HAND_WRITTEN.values() for line in text.splitlines()]
    recognised = 0
    for line in lines:
        for family in FAMILIES:
            if family.start.match(line):
                recognised += 1
                assert family.trigger in line.encode(), (family.title, line)
                assert TRIGGER.search(line.encode())
    assert recognised > len(HAND_WRITTEN)


def test_the_culprit_is_the_first_that_is_not_a_bystander() -> None:
    waiting = ["__schedule", "schedule", "schedule_preempt_disabled", "__mutex_lock", "mutex_lock"]
    assert culprit([*waiting, "zoo_lock", "zoo_write"]) == "zoo_lock"
    assert culprit(waiting) == "__schedule"
    assert culprit([]) == ""


@pytest.mark.parametrize(
    "function",
    ["zoo_warn", "dune_enter", "vfs_write", "stress_loop", "struct_copy", "watchdog_test",
     "print_it", "down_the_drain", "memory_fault", "schedule_zoo", "diet", "kvm_vcpu_run"],
)  # fmt: skip
def test_other_functions_are_no_bystanders(function: str) -> None:
    assert not is_bystander(function)
