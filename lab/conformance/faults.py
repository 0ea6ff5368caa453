# SPDX-License-Identifier: BSD-2-Clause
"""Faults of engines: cases that cannot come out right there, and why it is not our doing.

Those of QEMU's TCG are not here: a program can tell TCG by CPUID, so its cases say themselves what
they cannot live with (``skip_on_tcg``). Nothing tells a program that it runs under Bochs. What is
said of Bochs is what 2.7 does; names are those of functions and variables in its sources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lab.engine import SVM_BOCHS, VMX_BOCHS, Engine


@dataclass(frozen=True)
class Fault:
    """Why a case cannot come out right."""

    reason: str
    fatal: bool = False
    """The machine would not survive it: the case is never started. Otherwise it runs and fails."""


def _all(names: Iterable[str], fault: Fault) -> Mapping[str, Fault]:
    return dict.fromkeys(names, fault)


_XSAVEC = Fault("its XRSTOR raises #GP over what its XSAVEC saved, without a hypervisor too")

_STEP_OUTLIVES_EXIT = Fault(
    "a single-step trap that is due survives the exit (Svm_Vmexit leaves debug_trap), so the host "
    "takes it with the guest's GS base",
    fatal=True,
)
_DEAF = Fault(
    "VMRUN masks the host's interrupts if RFLAGS.IF is clear (setEFlags runs before in_svm_guest "
    "is set), so a guest that leaves them off is never left",
    fatal=True,
)
_DR6 = Fault("an intercepted #DB leaves DR6 as it was (SvmInterceptException drops debug_trap)")

_FAULTS: Mapping[str, Mapping[str, Fault]] = {
    VMX_BOCHS.name: {
        "fpu_migrates": _XSAVEC,
        "debug_single_step_in_second_level": Fault(
            "an exit saves the step that is only due behind the instruction as pending, and the "
            "entry then takes it (GUEST_PENDING_DBG_EXCEPTIONS)"
        ),
    },
    SVM_BOCHS.name: {
        **_all(
            (
                "debug_single_step",
                "debug_single_step_in_second_level",
                "debug_single_step_over_exits",
                "debug_single_step_before_interrupt",
                "debug_single_step_of_sti",
                "debug_shadow_ends_with_step",
                "ioctls_racing_in_steps",
            ),
            _STEP_OUTLIVES_EXIT,
        ),
        **_all(
            (
                "kill_within_100_ms",
                "stop_and_continue",
                "ptrace_stops_and_reads",
                "signal_ends_run",
                "timer_preempts_guest",
                "exit_group_by_another_thread",
                "exec_by_another_thread",
                "close_while_running",
                "unmap_while_running",
                "ioctl_while_running",
                "fpu_migrates",
            ),
            _DEAF,
        ),
        **_all(
            ("debug_execute_breakpoint", "debug_write_watchpoint", "debug_general_detect"), _DR6
        ),
        "debug_icebp": Fault("INT1 exits with RIP before it (Svm_Vmexit takes every RIP back)"),
        "exception_cr2": Fault("VMRUN does not load CR2"),
        "exception_software_interrupt": Fault(
            "an exit that cuts INT n off tells of the exception before it (EXITINTINFO is stale)"
        ),
        "interrupt_shadow_outlasts_exit": Fault(
            "V_IRQ stays masked if RFLAGS.IF is set at VMRUN already"
        ),
        "doorbell_interrupts_off": Fault(
            "the host's own interrupt waits as long as the guest's, and exits in place of V_IRQ"
        ),
    },
}
"""By engine and case."""


def faults_of(engine: Engine) -> Mapping[str, Fault]:
    """Return the faults of an engine, by case."""
    return _FAULTS.get(engine.name, {})
