# SPDX-License-Identifier: BSD-2-Clause
"""Which function a kernel's complaint is about: the first one in it that is not a bystander."""

from __future__ import annotations

import re
from collections.abc import Iterable

FUNCTION = r"(?P<at>[A-Za-z_][\w.$]*)\+0x[0-9a-f]+/0x[0-9a-f]+"
"""A symbol as the kernel prints an address: name, offset, size."""

_RIP = re.compile(rf"RIP: [0-9a-f]{{4}}:{FUNCTION}")
_FRAME = re.compile(rf"\s*(?:\[<[0-9a-f]+>\] )?{FUNCTION}")
_LEFT_ON_STACK = re.compile(rf"\s*(?:\[<[0-9a-f]+>\] )?\? {FUNCTION}")
_LOCK_TAKEN_AT = re.compile(rf".*, at: {FUNCTION}")
_COMPILER_SUFFIX = re.compile(r"\.(?:constprop|isra|part|cold|llvm)\b.*")

_BYSTANDERS = {
    "the machinery that reports": r"""
        (__)?dump_stack(_lvl)? | show_(stack|trace|regs)\w* | __warn(_printk)? | warn_slowpath\w*
        | report_bug | handle_bug | handle_stack_overflow | (__)?die(_addr|_body)? | v?panic
        | oops_(begin|end|exit) | nmi_panic\w* | check_panic_on_warn | do_error_trap | do_trap
        | exc_\w+ | asm_\w+ | do_user_addr_fault | page_fault_oops | (__)?bad_area\w*
        | kernelmode_fixup_or_oops | ex_handler_\w+ | \w+_return_thunk | srso_\w+ | __x86_\w+
        | __schedule_bug | _*might_(resched|sleep)\w* | lockdep_\w+ | (__)?lock_(acquire|release)\w*
        | print_(circular|usage|deadlock|bad|irq|unlock|address|report|trailer|section|cpu)\w*
        | (__)?check_(noncircular|prev_add|deadlock|heap_object|canary\w*) | validate_chain
        | check_bytes_and_report | check_object | object_err | (__)?slab_(err|bug|pad_check|fix)\w*
        | free_debug_processing | alloc_debug_processing | free_to_partial_list | init_object
        | free_consistency_checks | on_freelist | list_slab_objects | (__)?check_object_size
        | (__)?(kasan|kfence|ubsan|asan|fortify)_\w+ | refcount_warn_saturate | usercopy_abort
        | __list_(add|del_entry)_valid\w* | __stack_chk_fail | (free_)?(bad_page|page_is_bad)\w*
        | check_free_page\w* | __report_bad_irq | note_interrupt | nmi_(cpu|trigger)\w*
        | trigger_\w*backtrace | rcu_dump_\w+ | rcu_check_gp_\w+ | dump_header | warn_alloc\w*
        | out_of_memory | oom_kill_process | watchdog_(timer_fn|overflow_callback|hardlockup\w*)
        | dev_watchdog""",
    "waiting and locking, of which the caller is the cause": r"""
        _*schedule(_timeout\w*|_hrtimeout\w*|_preempt_disabled)? | io_schedule\w*
        | preempt_schedule\w* | _*cond_resched\w* | [mu]sleep\w* | usleep_range\w*
        | hrtimer_nanosleep | do_nanosleep | common_nsleep
        | _*((ww_|rt_)?mutex|rwsem|down|up)(_(lock|unlock|trylock|read|write|interruptible
            |killable|timeout|common|slowlock|slowpath|slowunlock|nested|io|block|down|up))*
        | (do)?_*raw_(spin|read|write)_\w+ | (native_|pv_|__pv_)?queued_(spin|read|write)_\w+
        | _*wait_for_common\w* | wait_for_completion\w* | do_wait_for_common | wait_woken
        | bit_wait\w* | _*wait_on_bit\w* | out_of_line_wait\w* | _*synchronize_\w+ | rcu_barrier\w*
        | __wait_rcu_gp | delay_\w+ | (__)?(const_)?[un]?delay | (pv_)?native_(safe_)?halt
        | default_idle\w* | arch_cpu_idle\w* | mwait_idle\w* | cpuidle_\w+ | do_idle
        | cpu_startup_entry | (__)?local_bh_\w+ | preempt_count_\w+ | csd_lock_wait\w*
        | smp_call_function\w* | on_each_cpu\w*""",
    "the library, whose arguments were the caller's": r"""
        _*mem(cpy|set|move|cmp|chr)\w* | _*str(n?len|[nls]?cpy|scpy|n?cmp|[nl]?cat|r?chr|n?dup)
        | _*copy_(to|from|in)_\w+ | copy_user\w* | rep_(movs|stos)\w* | clear_page\w* | copy_page\w*
        | _*(k[mzv]*|v[mz]?)(alloc|free)\w* | (__)?free_large_kmalloc | _*kmem_cache_\w+
        | _*slab_(alloc|free)\w* | do_slab_free | set_freepointer | shutdown_cache
        | _*list_(add|del)\w* | _*(alloc|free)_(pages?|the_page|unref)\w* | put_page""",
}
"""Functions that a complaint passes through, and why they are not what it is about."""

_BYSTANDER = re.compile("|".join(_BYSTANDERS.values()), re.VERBOSE)


def is_bystander(function: str) -> bool:
    """Whether a complaint that shows this function is about one of its callers."""
    return _BYSTANDER.fullmatch(function) is not None


def plain_name(symbol: str) -> str:
    """Return the function's name in the source: without what the compiler appends to clones."""
    return _COMPILER_SUFFIX.sub("", symbol)


def function_on(message: str) -> str:
    """Return the function that this line of a report names for certain, empty if it names none.

    That is the instruction pointer, if it was in the kernel, or a frame, or where a lock is taken.
    """
    for pattern in (_RIP, _FRAME, _LOCK_TAKEN_AT):
        if found := pattern.match(message):
            return plain_name(found["at"])
    return ""


def function_perhaps_on(message: str) -> str:
    """Return the function of a frame with a question mark, empty if the line is none.

    Its address was found on the stack and may be left over from an earlier call; there is nothing
    better of a task that was interrupted on another processor.
    """
    found = _LEFT_ON_STACK.match(message)
    return plain_name(found["at"]) if found else ""


def culprit(functions: Iterable[str]) -> str:
    """Choose among the functions of a report, in its order; empty if there are none."""
    named = list(functions)
    return next((name for name in named if not is_bystander(name)), named[0] if named else "")
