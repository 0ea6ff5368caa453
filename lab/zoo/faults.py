# SPDX-License-Identifier: BSD-2-Clause
"""Every fault of the zoo: what makes it happen, and what the lab has to say about it.

The one place that knows them. Most are functions of ``tests/zoo/module``, asked for by name through
``/dev/zoo``; the others are a line of shell or a program of ``tests/zoo/programs``.
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass

from lab.engine import Accelerator
from lab.verdict.verdict import Verdict

# The kernel's own watchdogs, made impatient: these are seconds. A grace period keeps the limit it
# began with, so the one in progress has to end first.
_SOFT_LOCKUP = "echo 2 >/proc/sys/kernel/watchdog_thresh; "
_HUNG_TASK = "cd /proc/sys/kernel; echo 2 >hung_task_timeout_secs; echo 2 >hung_task_warnings; "
_RCU_STALL = "echo 4 >/sys/module/rcupdate/parameters/rcu_cpu_stall_timeout; sleep 0.5; "

_KFENCE = ("kfence.sample_interval=1",)
_WITH_KFENCE = "6.12*"
"""Of the kernels in images/, those that have it compiled in."""

_FLOOD_BYTES = 10 << 20
_SLOWER = {Accelerator.KVM: 1.0, Accelerator.TCG: 1.0, Accelerator.BOCHS: 4.0}
"""How many times longer than on svm-tcg a fault may take. The kernel's watchdogs go by the clock,
so most of the time is the same everywhere."""


@dataclass(frozen=True)
class Fault:
    """One way to go wrong, in a guest that has the zoo in ``/lab`` and its module loaded."""

    name: str
    verdict: Verdict
    title: str = ""
    """What the title of the verdict must match."""
    silent: bool = False
    """The kernel has nothing to complain of; otherwise it does, and ``title`` is its complaint."""
    command: str = ""
    """Shell; empty for the fault of that name in the module."""
    before: str = ""
    """Shell that goes before it."""
    arguments: tuple[str, ...] = ()
    """Boot arguments besides the profile's."""
    kernel: str = "*"
    """Which kernel releases can show it, as a shell pattern."""
    seconds: float = 12.0
    """Within which the command ends, or is known not to; on svm-tcg."""

    @property
    def script(self) -> str:
        """What to run in the guest."""
        return self.before + (self.command or f"echo {self.name} >/dev/zoo")

    def bound(self, accelerator: Accelerator) -> float:
        """Return the time it gets on such an engine, in seconds."""
        return self.seconds * _SLOWER[accelerator]

    def fits(self, release: str) -> bool:
        """Whether a kernel of this release can show it."""
        return fnmatch.fnmatchcase(release, self.kernel)


COMPLAINTS = (
    Fault("warn", Verdict.SPLAT, "WARNING in zoo_warn"),
    Fault(
        "warn_on_once",
        Verdict.SPLAT,
        "WARNING in zoo_warn_on_once",
        command="for i in 1 2 3; do echo warn_on_once >/dev/zoo; done",
    ),
    Fault("refcount_underflow", Verdict.SPLAT, "refcount underflow in zoo_refcount_underflow"),
    Fault(
        "refcount_use_after_free",
        Verdict.SPLAT,
        "refcount addition on 0 in zoo_refcount_use_after_free",
    ),
    Fault(
        "lost_update",
        Verdict.SPLAT,
        "WARNING in zoo_race_check",
        command="; ".join(f"echo race_{step} >/dev/zoo" for step in ("open", "bump", "check")),
    ),
    Fault("sleep_in_atomic", Verdict.SPLAT, "scheduling while atomic in zoo_sleep_in_atomic"),
)

OOPSES = (
    Fault("bug", Verdict.SPLAT, "kernel BUG in zoo_bug"),
    Fault("null_read", Verdict.SPLAT, "NULL pointer dereference in zoo_null_read"),
    Fault("null_write", Verdict.SPLAT, "NULL pointer dereference in zoo_null_write"),
    Fault("null_exec", Verdict.SPLAT, "NULL pointer dereference in zoo_null_exec"),
    Fault("wild_read", Verdict.SPLAT, "page fault in zoo_wild_read"),
    Fault("write_to_code", Verdict.SPLAT, "page fault in zoo_write_to_code"),
    Fault("non_canonical", Verdict.SPLAT, "general protection fault in zoo_non_canonical"),
    Fault("divide", Verdict.SPLAT, "divide error in zoo_divide"),
    Fault("stack_overflow", Verdict.PANICKED, "stack overflow in zoo_recursion"),
    Fault("oops_in_irq", Verdict.PANICKED, "NULL pointer dereference in zoo_null_read"),
)

_CORRUPT = "(Poison overwritten|Redzone overwritten|Object corrupt)"
"""The words of older and of newer kernels."""


def _kfence(name: str, title: str) -> Fault:
    return Fault(name, Verdict.SPLAT, title, arguments=_KFENCE, kernel=_WITH_KFENCE)


MEMORY = (
    Fault("slab_leak", Verdict.SPLAT, "Objects remaining in zoo_slab_leak"),
    Fault("slab_double_free", Verdict.SPLAT, "Object already free in zoo_slab_double_free"),
    Fault("slab_use_after_free", Verdict.SPLAT, f"{_CORRUPT} in zoo_slab_use_after_free"),
    Fault("slab_out_of_bounds", Verdict.SPLAT, f"{_CORRUPT} in zoo_slab_out_of_bounds"),
    Fault("double_free", Verdict.SPLAT, "kernel BUG in zoo_double_free"),
    _kfence("kfence_double_free", "KFENCE: .* in zoo_kfence_double_free"),
    _kfence("kfence_use_after_free", "KFENCE: .* in zoo_kfence_use_after_free"),
    _kfence("kfence_out_of_bounds", "KFENCE: .* in zoo_kfence_out_of_bounds"),
    Fault("list_double_add", Verdict.SPLAT, "list_add corruption in zoo_list_double_add"),
    Fault("list_double_del", Verdict.SPLAT, "list_del corruption in zoo_list_double_del"),
    Fault("usercopy", Verdict.SPLAT, "usercopy: .* in zoo_usercopy"),
    Fault(
        "out_of_memory",
        Verdict.SPLAT,
        "Out of memory: killed process fill_memory",
        command="/lab/fill_memory",
    ),
)

LOCKING = (
    Fault("double_lock", Verdict.HUNG, "soft lockup in zoo_double_lock", before=_SOFT_LOCKUP),
    Fault("abba", Verdict.HUNG, "task hung", before=_HUNG_TASK),
    Fault("hung_task", Verdict.SPLAT, "task hung", before=_HUNG_TASK),
    Fault("hung_for_ever", Verdict.HUNG, "task hung", before=_HUNG_TASK),
    Fault("rcu_stall", Verdict.SPLAT, "RCU stall in zoo_rcu_stall", before=_RCU_STALL),
    Fault("rcu_reader", Verdict.SPLAT, "RCU stall", before=_RCU_STALL),
)

_MUTE = "did not end|answers no more|gave no sign of life"

STUCK = (
    Fault(
        "spin_preempt_off",
        Verdict.SPLAT,
        "soft lockup in zoo_spin_preempt_off",
        before=_SOFT_LOCKUP,
    ),
    Fault("spin_irqs_off", Verdict.HUNG, "RCU stall in zoo_spin_irqs_off", before=_RCU_STALL),
    Fault("spin_all_irqs_off", Verdict.HUNG, _MUTE, silent=True, seconds=30.0),
    Fault("halt_all", Verdict.HUNG, _MUTE, silent=True, seconds=30.0),
    Fault(
        "half_a_line",
        Verdict.HUNG,
        _MUTE,
        silent=True,
        command="printf 'BUG: kernel NULL poin' >/dev/console; sleep 1; echo halt_all >/dev/zoo",
        seconds=30.0,
    ),
)

ENDS = (
    Fault("panic", Verdict.PANICKED, "the zoo panics"),
    Fault("panic_in_irq", Verdict.PANICKED, "the zoo panics in an interrupt"),
    Fault("panic_in_nmi", Verdict.PANICKED, "the zoo panics in an NMI"),
    Fault("kill_init", Verdict.PANICKED, "Attempted to kill init"),
    Fault(
        "sysrq_crash",
        Verdict.PANICKED,
        "sysrq triggered crash",
        command="echo c >/proc/sysrq-trigger",
    ),
    Fault("triple_fault", Verdict.LOST, "reboot", silent=True),
    Fault(
        "sysrq_reboot", Verdict.LOST, "reboot", silent=True, command="echo b >/proc/sysrq-trigger"
    ),
    Fault("reboot", Verdict.LOST, "reboot", silent=True, command="reboot -f"),
    Fault("power_off", Verdict.LOST, "powered itself off", silent=True, command="poweroff -f"),
)

USER = (
    Fault("exit_1", Verdict.FAILED, "status 1", silent=True, command="exit 1"),
    Fault("segfault", Verdict.FAILED, "status 139", silent=True, command="/lab/trap segfault"),
    Fault("sleep", Verdict.HUNG, _MUTE, silent=True, command="sleep 1000", seconds=2.0),
    Fault("fork_bomb", Verdict.PASSED, silent=True, command="/lab/fork_bomb 9"),
    Fault(
        "flood_console",
        Verdict.PASSED,
        silent=True,
        command=f"yes 'a line of no meaning' | head -c {_FLOOD_BYTES} >/dev/console",
        seconds=240.0,
    ),
    Fault(
        "fill_tmp",
        Verdict.PASSED,
        silent=True,
        command="! dd if=/dev/zero of=/tmp/full bs=1M 2>/dev/null",
    ),
    Fault("set_clock", Verdict.PASSED, silent=True, command="date -s '2001-02-03 04:05:06'"),
    Fault(
        "daemon",
        Verdict.PASSED,
        silent=True,
        command="setsid sleep 100000 >/dev/null 2>&1 </dev/null &",
    ),
)

FAULTS = COMPLAINTS + OOPSES + MEMORY + LOCKING + STUCK + ENDS + USER
"""All of them, harmless ones last."""
