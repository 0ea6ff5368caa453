// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why the guest stopped, and what follows. Three outcomes: we deal with it and run on, the guest
 * gets an exception for having tried, or the process is told (run->exit_reason).
 *
 * Nothing here trusts an instruction-length field: processors (and QEMU) without NRIP-save have
 * none. The instructions we step over have one fixed encoding, or the exit itself says where the
 * next one starts.
 */
#include <asm/processor.h>

#include "svm/svm.h"

#define LENGTH_CPUID 2
#define LENGTH_HLT   1

#define DR7_GENERAL_DETECT BIT_ULL(13)

#define NPF_WRITE BIT_ULL(1)	/* EXITINFO1 of a nested page fault (APM 2 15.25.6) */
#define NPF_FETCH BIT_ULL(4)
#define NPF_TABLE BIT_ULL(33)	/* in the guest's page table, on the way to what it wanted */

/* RAX, RIP and RFLAGS of an exit are in run->regs by now, and go back from there. */
static void step_over(struct vcpu *vcpu, u64 next_rip)
{
	struct svm_vcpu *svm = vcpu->vendor;

	vcpu->run->regs.rip = next_rip;
	svm->vmcb->control.int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
	if (READ_ONCE(vcpu->run->regs.rflags) & X86_EFLAGS_TF)
		svm_queue_single_step(vcpu);
}

static int inject_gp(struct vcpu *vcpu)
{
	svm_queue_exception(vcpu, GP_VECTOR, true, 0);
	return 1;
}

static int inject_ud(struct vcpu *vcpu)
{
	svm_queue_exception(vcpu, UD_VECTOR, false, 0);
	return 1;
}

static int handle_cpuid(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->vendor;
	struct dune_regs *regs = &vcpu->run->regs;

	guest_cpuid(regs, svm->vmcb->save.cr4);
	step_over(vcpu, regs->rip + LENGTH_CPUID);
	return 1;
}

static int handle_hlt(struct vcpu *vcpu)
{
	step_over(vcpu, vcpu->run->regs.rip + LENGTH_HLT);
	return interrupt_halt(vcpu);
}

static int handle_io(struct vcpu *vcpu)
{
	const struct vmcb_control_area *control = &((struct svm_vcpu *)vcpu->vendor)->vmcb->control;
	struct dune_run *run = vcpu->run;
	u64 info = control->exit_info_1;

	if (info & (SVM_IOIO_STR_MASK | SVM_IOIO_REP_MASK))
		return inject_gp(vcpu);
	run->exit_reason = DUNE_EXIT_IO;
	run->io.port = info >> 16;
	run->io.size = (info & SVM_IOIO_SIZE_MASK) >> SVM_IOIO_SIZE_SHIFT;
	run->io.is_write = !(info & SVM_IOIO_TYPE_MASK);
	/* I/O exits report the next instruction, with or without NRIP-save (APM 2 15.10.2). */
	step_over(vcpu, control->exit_info_2);
	return 0;
}

static int handle_npf(struct vcpu *vcpu)
{
	const struct vmcb_control_area *control = &((struct svm_vcpu *)vcpu->vendor)->vmcb->control;
	u32 flags = 0;

	if (control->exit_info_1 & NPF_WRITE)
		flags |= DUNE_FAULT_WRITE;
	if ((control->exit_info_1 & (NPF_FETCH | NPF_TABLE)) == NPF_FETCH)
		flags |= DUNE_FAULT_EXEC;
	return memory_exit(vcpu, control->exit_info_2, flags);
}

static int report_hardware_exit(struct vcpu *vcpu, enum dune_exit reason)
{
	const struct vmcb_control_area *control = &((struct svm_vcpu *)vcpu->vendor)->vmcb->control;
	struct dune_run *run = vcpu->run;

	run->exit_reason = reason;
	run->hw.code = svm_exit_code(control);
	run->hw.info1 = control->exit_info_1;
	run->hw.info2 = control->exit_info_2;
	return 0;
}

int svm_handle_exit(struct vcpu *vcpu)
{
	struct vmcb *vmcb = ((struct svm_vcpu *)vcpu->vendor)->vmcb;
	struct vmcb_control_area *control = &vmcb->control;

	if (svm_exit_code(control) == (u32)SVM_EXIT_ERR)
		return report_hardware_exit(vcpu, DUNE_EXIT_FAIL_ENTRY);
	svm_requeue_interrupted_event(vcpu);

	switch (svm_exit_code(control)) {
	case SVM_EXIT_INTR:
	case SVM_EXIT_NMI:
	case SVM_EXIT_SMI:
	case SVM_EXIT_INIT:
	case SVM_EXIT_EXCP_BASE + MC_VECTOR:
		return 1;	/* the host took it as soon as it could */
	case SVM_EXIT_NPF:
		return handle_npf(vcpu);
	case SVM_EXIT_IOIO:
		return handle_io(vcpu);
	case SVM_EXIT_CPUID:
		return handle_cpuid(vcpu);
	case SVM_EXIT_HLT:
		return handle_hlt(vcpu);
	case SVM_EXIT_SHUTDOWN:
		vcpu->dead = true;	/* the VMCB is undefined now (APM 2 15.14.3) */
		return report_hardware_exit(vcpu, DUNE_EXIT_SHUTDOWN);
	case SVM_EXIT_EXCP_BASE + DB_VECTOR:
		/* Its delivery would have done this; DR6 is up to date (APM 2 15.12.2). */
		vmcb->save.dr7 &= ~DR7_GENERAL_DETECT;
		svm_queue_exception(vcpu, DB_VECTOR, false, 0);
		return 1;
	case SVM_EXIT_EXCP_BASE + AC_VECTOR:
		svm_queue_exception(vcpu, AC_VECTOR, true, 0);
		return 1;
	case SVM_EXIT_VINTR:
		vcpu->run->interrupt_windows++;
		return 1;
	case SVM_EXIT_READ_DR0 ... SVM_EXIT_WRITE_DR7:
		debug_registers_give(vcpu);
		svm_allow_debug_registers(vmcb);
		return 1;	/* the instruction runs again, for good now */
	case SVM_EXIT_MSR:
	case SVM_EXIT_WRITE_CR0:
	case SVM_EXIT_WRITE_CR4:
	case SVM_EXIT_READ_CR8:
	case SVM_EXIT_WRITE_CR8:
	case SVM_EXIT_RDPMC:
	case SVM_EXIT_INVD:
	case SVM_EXIT_WBINVD:
	case SVM_EXIT_XSETBV:
		return inject_gp(vcpu);
	case SVM_EXIT_VMRUN ... SVM_EXIT_SKINIT:
	case SVM_EXIT_INVLPGA:
	case SVM_EXIT_RSM:
	case SVM_EXIT_MONITOR:
	case SVM_EXIT_MWAIT:
	case SVM_EXIT_RDPRU:
		return inject_ud(vcpu);
	default:
		return report_hardware_exit(vcpu, DUNE_EXIT_UNKNOWN);
	}
}
