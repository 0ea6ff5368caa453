// SPDX-License-Identifier: GPL-2.0-only
/*
 * External interrupts of a vCPU: a map of pending vectors, and the doorbell that sets bits in it
 * and gets the vCPU to look.
 *
 * The doorbell sets the bit and then takes guest_cpu; the vCPU sets guest_cpu and then reads the
 * map, with interrupts off from there into the guest. One of the two sees the other: either the
 * vCPU finds the bit on its way in, or the doorbell finds the CPU and its IPI makes the guest exit
 * (one that is pending at VMRUN/VMLAUNCH exits before the first guest instruction). So an interrupt
 * is never left lying, wherever its target is: in guest mode, on the way there or back, in user
 * space, or not yet entered.
 *
 * Taking guest_cpu means that of many doorbells at once only one sends an IPI. The others have set
 * their bits before they saw that it was taken, so the exit it causes serves them all.
 */
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <asm/processor-flags.h>
#include <trace/events/ipi.h>

#include "hypervisor.h"

#define FIRST_VECTOR 32		/* those below are the CPU's exceptions */

void interrupt_init(struct vcpu *vcpu)
{
	vcpu->guest_cpu = -1;
}

/*
 * Preemption stays off from finding the CPU to the IPI: a CPU that goes down waits for that, and
 * nobody else sends the IPI meanwhile.
 */
static void kick(struct vcpu *vcpu)
{
	int cpu;

	preempt_disable();
	cpu = xchg(&vcpu->guest_cpu, -1);
	if (cpu >= 0) {
		smp_send_reschedule(cpu);
		atomic64_inc(&vcpu->kicks);
	}
	preempt_enable();
}

/* The doorbell. Holds no lock: run_lock is taken for as long as the vCPU runs. */
int interrupt_raise(struct vcpu *vcpu, unsigned long vector)
{
	if (vector < FIRST_VECTOR || vector >= DUNE_VECTORS)
		return -EINVAL;
	vector = array_index_nospec(vector, DUNE_VECTORS);
	/* A fully ordered operation; so is the xchg() in kick(). */
	if (!test_and_set_bit(vector, vcpu->pending))
		kick(vcpu);
	return 0;
}

/* Interrupts off until interrupt_leave_guest(). */
void interrupt_enter_guest(struct vcpu *vcpu, int cpu)
{
	smp_store_mb(vcpu->guest_cpu, cpu);	/* pairs with kick() */
}

void interrupt_leave_guest(struct vcpu *vcpu)
{
	WRITE_ONCE(vcpu->guest_cpu, -1);
}

/* Interrupts off, after interrupt_enter_guest(). */
void interrupt_deliver(struct vcpu *vcpu)
{
	unsigned long vector = find_last_bit(vcpu->pending, DUNE_VECTORS);
	bool waiting = vector < DUNE_VECTORS;

	if (waiting && vendor()->inject_interrupt(vcpu, vector)) {
		clear_bit(vector, vcpu->pending);
		vcpu->run->interrupts++;
		waiting = !bitmap_empty(vcpu->pending, DUNE_VECTORS);
	}
	vendor()->interrupt_window(vcpu, waiting);
}

/* For vendors: the delivery of @vector was cut off by the exit at hand. */
void interrupt_return(struct vcpu *vcpu, u8 vector)
{
	set_bit(vector, vcpu->pending);
	vcpu->run->interrupts--;
}

/*
 * For vendors: what follows a HLT, as handle_exit() has it. The guest is behind it already. Under
 * RFLAGS.TF a trap is due there, which ends the halt before it begins.
 */
int interrupt_halt(struct vcpu *vcpu)
{
	struct dune_run *run = vcpu->run;
	u64 rflags = READ_ONCE(run->regs.rflags);

	if (rflags & X86_EFLAGS_TF)
		return 1;
	if ((rflags & X86_EFLAGS_IF) && !bitmap_empty(vcpu->pending, DUNE_VECTORS))
		return 1;
	run->exit_reason = DUNE_EXIT_HLT;
	return 0;
}
