// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest takes through its IDT because we say so: exceptions and external interrupts.
 *
 * An entry delivers one event (SDM 3C 27.5); vmx->event is our queue of one. Interrupts wait in the
 * generic map instead (interrupt.c) and come here only when the guest can take them; until then the
 * interrupt window makes it exit at the first instruction boundary at which it can (SDM 3C 26.2).
 *
 * Nothing here touches the VMCS: vmx_vcpu_enter() writes down what is decided here.
 */
#include <asm/processor-flags.h>
#include <asm/trapnr.h>
#include <uapi/asm/debugreg.h>

#include "vmx/vmx.h"

#define DR6_SAID (DR_TRAP_BITS | DR_STEP | BIT(13))	/* 13: BD, an access with DR7.GD set */

/* An external interrupt that is queued, or was cut off, is pending again. */
static bool return_interrupt(struct vcpu *vcpu, u32 event)
{
	if (!(event & INTR_INFO_VALID_MASK) ||
	    (event & INTR_INFO_INTR_TYPE_MASK) != INTR_TYPE_EXT_INTR)
		return false;
	interrupt_return(vcpu, event & INTR_INFO_VECTOR_MASK);
	return true;
}

void vmx_queue_exception(struct vcpu *vcpu, u8 vector, bool has_error_code, u32 error_code)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	vmx->event = INTR_INFO_VALID_MASK | INTR_TYPE_HARD_EXCEPTION | vector;
	vmx->event_error = error_code;
	if (has_error_code)
		vmx->event |= INTR_INFO_DELIVER_CODE_MASK;
}

void vmx_inject(struct vcpu *vcpu, const struct dune_event *event)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	return_interrupt(vcpu, vmx->event);
	if (event->vector == X86_TRAP_PF)
		vmx->cr2 = event->cr2;
	vmx_queue_exception(vcpu, event->vector, event->has_error_code, event->error_code);
}

bool vmx_inject_interrupt(struct vcpu *vcpu, u8 vector)
{
	struct vmx_vcpu *vmx = vcpu->vendor;
	u64 rflags = READ_ONCE(vcpu->run->regs.rflags);

	if (!(rflags & X86_EFLAGS_IF) || vmx->shadow || vmx->event)
		return false;
	/* A step that is due comes first, and an entry with an event forgets it (SDM 3C 27.7.3). */
	if (vmx->stepped_over && (rflags & X86_EFLAGS_TF))
		return false;
	vmx->event = INTR_INFO_VALID_MASK | INTR_TYPE_EXT_INTR | vector;
	vmx->event_error = 0;
	return true;
}

void vmx_interrupt_window(struct vcpu *vcpu, bool wanted)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	if (wanted)
		vmx->primary |= CPU_BASED_INTR_WINDOW_EXITING;
	else
		vmx->primary &= ~CPU_BASED_INTR_WINDOW_EXITING;
}

/*
 * A #DB that exits has changed nothing yet: DR6 and DR7.GD are for us to do (SDM 3C 28.1), as the
 * delivery of the exception would have.
 */
void vmx_queue_debug_exception(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	vmx->dr6 = (vmx->dr6 & ~(u64)DR_TRAP_BITS) | (vmx->exit.qualification & DR6_SAID);
	vmx->clear_gd = true;
	vmx_queue_exception(vcpu, X86_TRAP_DB, false, 0);
}

/*
 * The exit may have cut off the delivery of an event (its stack push faulted in EPT, say). The CPU
 * reports it and forgets it; delivering it again is up to us (SDM 3C 28.2.4). INT n, INT1, INT3 and
 * INTO are left alone: RIP is still at the instruction, which simply runs again.
 */
void vmx_requeue_interrupted_event(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vendor;
	u32 event = vmx->exit.event;

	if (!(event & VECTORING_INFO_VALID_MASK) || return_interrupt(vcpu, event))
		return;
	switch (event & VECTORING_INFO_TYPE_MASK) {
	case INTR_TYPE_NMI_INTR:
	case INTR_TYPE_HARD_EXCEPTION:
		/* Bit 12 is undefined here and must be zero there; otherwise one layout. */
		vmx->event = event & ~INTR_INFO_UNBLOCK_NMI;
		vmx->event_error = vmx->exit.event_error;
	}
}
