// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest takes through its IDT because we say so: exceptions and external interrupts.
 *
 * EVENTINJ holds one event, delivered right after VMRUN (APM 2 15.20). Outside of guest mode a
 * valid EVENTINJ is our queue of one. Interrupts wait in the generic map instead (interrupt.c) and
 * come here only when the guest can take them; until then a virtual interrupt that nobody ever
 * delivers stands for them: V_IRQ with its own intercept makes the guest exit at the first
 * instruction boundary at which it would have been taken (APM 2 15.21.4).
 */
#include <asm/processor.h>
#include <uapi/asm/debugreg.h>

#include "svm/svm.h"

static struct vmcb *vmcb_of(struct vcpu *vcpu)
{
	return ((struct svm_vcpu *)vcpu->vendor)->vmcb;
}

/* An external interrupt that is queued, or was cut off, is pending again. */
static bool return_interrupt(struct vcpu *vcpu, u32 event)
{
	if (!(event & SVM_EVTINJ_VALID) ||
	    (event & SVM_EVTINJ_TYPE_MASK) != SVM_EVTINJ_TYPE_INTR)
		return false;
	interrupt_return(vcpu, event & SVM_EVTINJ_VEC_MASK);
	return true;
}

void svm_queue_exception(struct vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code)
{
	struct vmcb_control_area *control = &vmcb_of(vcpu)->control;

	control->event_inj = SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_EXEPT | vector;
	control->event_inj_err = error_code;
	if (has_error_code)
		control->event_inj |= SVM_EVTINJ_VALID_ERR;
}

/*
 * The trap behind an instruction under RFLAGS.TF, owed for one that we have done ourselves. VMRUN
 * loads DR6 and injects #DB, and leaves it to us that the one tells of the other.
 */
void svm_queue_single_step(struct vcpu *vcpu)
{
	vmcb_of(vcpu)->save.dr6 |= DR_STEP;
	svm_queue_exception(vcpu, DB_VECTOR, false, 0);
}

void svm_inject(struct vcpu *vcpu, const struct dune_event *event)
{
	struct vmcb *vmcb = vmcb_of(vcpu);

	return_interrupt(vcpu, vmcb->control.event_inj);
	if (event->vector == PF_VECTOR)
		vmcb->save.cr2 = event->cr2;
	svm_queue_exception(vcpu, event->vector, event->has_error_code, event->error_code);
}

bool svm_inject_interrupt(struct vcpu *vcpu, u8 vector)
{
	struct vmcb_control_area *control = &vmcb_of(vcpu)->control;

	if (!(READ_ONCE(vcpu->run->regs.rflags) & X86_EFLAGS_IF) ||
	    (control->int_state & SVM_INTERRUPT_SHADOW_MASK) ||
	    (control->event_inj & SVM_EVTINJ_VALID))
		return false;
	control->event_inj = SVM_EVTINJ_VALID | SVM_EVTINJ_TYPE_INTR | vector;
	control->event_inj_err = 0;
	return true;
}

void svm_interrupt_window(struct vcpu *vcpu, bool wanted)
{
	struct vmcb_control_area *control = &vmcb_of(vcpu)->control;
	unsigned long *intercepts = (unsigned long *)control->intercepts;

	if (wanted) {
		__set_bit(INTERCEPT_VINTR, intercepts);
		control->int_ctl |= V_IRQ_MASK | V_IGN_TPR_MASK;
	} else {
		__clear_bit(INTERCEPT_VINTR, intercepts);
		control->int_ctl &= ~(V_IRQ_MASK | V_IGN_TPR_MASK);
	}
}

/*
 * The exit may have cut off the delivery of an event (its stack push faulted in the nested table,
 * say). The CPU reports it and forgets it; delivering it again is up to us (APM 2 15.7.2). INT n,
 * INT3 and INTO are left alone: RIP is still at the instruction, which simply runs again. The
 * latter two are reported as exceptions.
 */
void svm_requeue_interrupted_event(struct vcpu *vcpu)
{
	struct vmcb_control_area *control = &vmcb_of(vcpu)->control;
	u32 event = control->exit_int_info;	/* laid out as EVENTINJ is */
	u32 type = event & SVM_EXITINTINFO_TYPE_MASK;
	u8 vector = event & SVM_EVTINJ_VEC_MASK;

	control->event_inj = 0;
	if (!(event & SVM_EXITINTINFO_VALID) || return_interrupt(vcpu, event))
		return;
	if (type == SVM_EXITINTINFO_TYPE_SOFT)
		return;
	if (type == SVM_EXITINTINFO_TYPE_EXEPT && (vector == BP_VECTOR || vector == OF_VECTOR))
		return;
	control->event_inj = event;
	control->event_inj_err = control->exit_int_info_err;
}
