// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why the guest stopped, and what follows. Three outcomes: we deal with it and run on, the guest
 * gets an exception for having tried, or the process is told (run->exit_reason).
 *
 * Nothing here trusts an instruction-length field: processors (and QEMU) without NRIP-save have
 * none. The instructions we step over have one fixed encoding, or the exit itself says where the
 * next one starts.
 */
#include <asm/mce.h>
#include <asm/processor.h>

#include "statistics.h"
#include "svm/svm.h"

#define LENGTH_CPUID 2
#define LENGTH_HLT   1

#define NPF_WRITE BIT_ULL(1)	/* EXITINFO1 of a nested page fault (APM 2 15.25.6) */
#define NPF_FETCH BIT_ULL(4)
#define NPF_TABLE BIT_ULL(33)	/* in the guest's page table, on the way to what it wanted */

/* RAX, RIP and RFLAGS of an exit are in run->regs by now, and go back from there. */
static void step_over(struct vcpu *vcpu, u64 next_rip)
{
	struct svm_vcpu *svm = vcpu->vendor;

	vcpu->run->regs.rip = next_rip;
	svm->vmcb->control.int_state &= ~SVM_INTERRUPT_SHADOW_MASK;
}

static void queue_exception(struct vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code)
{
	struct vmcb_control_area *control = &((struct svm_vcpu *)vcpu->vendor)->vmcb->control;

	control->event_inj = SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_EXEPT | vector;
	control->event_inj_err = error_code;
	if (has_error_code)
		control->event_inj |= SVM_EVTINJ_VALID_ERR;
}

void svm_inject(struct vcpu *vcpu, const struct dune_event *event)
{
	struct svm_vcpu *svm = vcpu->vendor;

	if (event->vector == PF_VECTOR)
		svm->vmcb->save.cr2 = event->cr2;
	queue_exception(vcpu, event->vector, event->has_error_code, event->error_code);
}

static int inject_gp(struct vcpu *vcpu)
{
	queue_exception(vcpu, GP_VECTOR, true, 0);
	return 1;
}

static int inject_ud(struct vcpu *vcpu)
{
	queue_exception(vcpu, UD_VECTOR, false, 0);
	return 1;
}

/*
 * The exit may have cut off the delivery of an event (its stack push faulted in the nested table,
 * say). The CPU reports it and forgets it; delivering it again is up to us (APM 2 15.7.2). INT n,
 * INT3 and INTO are left alone: RIP is still at the instruction, which simply runs again. The
 * latter two are reported as exceptions.
 */
static void requeue_interrupted_event(struct vmcb_control_area *control)
{
	u32 event = control->exit_int_info;
	u32 type = event & SVM_EXITINTINFO_TYPE_MASK;
	u8 vector = event & SVM_EVTINJ_VEC_MASK;

	control->event_inj = 0;
	if (!(event & SVM_EXITINTINFO_VALID))
		return;
	if (type == SVM_EXITINTINFO_TYPE_SOFT)
		return;
	if (type == SVM_EXITINTINFO_TYPE_EXEPT && (vector == BP_VECTOR || vector == OF_VECTOR))
		return;
	/* EXITINTINFO and EVENTINJ share one layout. */
	control->event_inj = event;
	control->event_inj_err = control->exit_int_info_err;
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
	vcpu->run->exit_reason = DUNE_EXIT_HLT;
	return 0;
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
	struct dune_run *run = vcpu->run;
	u64 gpa = control->exit_info_2;
	u32 flags = 0;
	int ret;

	if (control->exit_info_1 & NPF_WRITE)
		flags |= DUNE_FAULT_WRITE;
	if ((control->exit_info_1 & (NPF_FETCH | NPF_TABLE)) == NPF_FETCH)
		flags |= DUNE_FAULT_EXEC;
	ret = memory_fault(vcpu, gpa, flags);
	note_fault(vcpu->vm, gpa, flags, ret);
	if (ret == -ENOMEM)
		return ret;
	if (ret == -EINTR || ret == -ERESTARTSYS) {
		run->exit_reason = DUNE_EXIT_INTERRUPTED;
		return 0;
	}
	if (ret) {
		run->exit_reason = DUNE_EXIT_MEMORY_FAULT;
		run->fault.gpa = gpa;
		run->fault.flags = flags;
		return 0;
	}
	return 1;
}

static int report_hardware_exit(struct vcpu *vcpu, enum dune_exit reason)
{
	const struct vmcb_control_area *control = &((struct svm_vcpu *)vcpu->vendor)->vmcb->control;
	struct dune_run *run = vcpu->run;

	run->exit_reason = reason;
	run->hw.code = control->exit_code;
	run->hw.info1 = control->exit_info_1;
	run->hw.info2 = control->exit_info_2;
	return 0;
}

int svm_handle_exit(struct vcpu *vcpu)
{
	struct vmcb_control_area *control = &((struct svm_vcpu *)vcpu->vendor)->vmcb->control;

	if (control->exit_code == (u32)SVM_EXIT_ERR)
		return report_hardware_exit(vcpu, DUNE_EXIT_FAIL_ENTRY);
	requeue_interrupted_event(control);

	switch (control->exit_code) {
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
		queue_exception(vcpu, DB_VECTOR, false, 0);
		return 1;
	case SVM_EXIT_EXCP_BASE + AC_VECTOR:
		queue_exception(vcpu, AC_VECTOR, true, 0);
		return 1;
	case SVM_EXIT_MSR:
	case SVM_EXIT_WRITE_CR0:
	case SVM_EXIT_WRITE_CR4:
	case SVM_EXIT_READ_CR8:
	case SVM_EXIT_WRITE_CR8:
	case SVM_EXIT_READ_DR0 ... SVM_EXIT_WRITE_DR7:
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
