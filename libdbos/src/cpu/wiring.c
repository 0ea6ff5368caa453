// SPDX-License-Identifier: BSD-2-Clause
/* What hv/instructions.h leaves to the layer that knows the process's vCPUs. */
#include <sys/syscall.h>

#include "cpu/offsets.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "hv/machine.h"

/*
 * The number is the limit of a segment of the vCPU's own GDT that nobody loads: LSL reads it in one
 * instruction, so without a thought for interrupts, and whatever FS and GS are.
 */
unsigned int machine_cpu(void)
{
	unsigned int number;

	if (!machine_in_guest())
		return MACHINE_NO_CPU;
	__asm__ volatile("lsl %1, %0" : "=r"(number) : "r"(SELECTOR_NUMBER) : "cc");
	return number;
}

uint64_t machine_thread(void)
{
	return host_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

/*
 * From inside it takes an exit, in which the vCPU stays inside (sys/run_loop.c): the sender may
 * hold what makes it unfit to stop with the world.
 */
void machine_send_ipi(unsigned int cpu)
{
	if (machine_in_guest())
		vcpu_hypercall(PORT_DOORBELL, (uint64_t)cpu, 0);
	else
		doorbell_ring(dbos_instance(), cpu);
}

/*
 * Neither hypervisor flushes on demand without system calls of its own, so the guest does: it goes
 * on at dbos_flush_at_entry, interrupts off, and from there where it was.
 */
void machine_flush_at_entry(unsigned int cpu, uint64_t *word, uint64_t value)
{
	struct vcpu *vcpu = dbos_instance()->doorbells[cpu].vcpu;
	struct dune_regs *regs = vcpu->regs;

	vcpu->flush_word = word;
	vcpu->flush_value = value;
	vcpu->resume = (struct iret_frame){
		.rip = regs->rip, .cs = SELECTOR_CODE, .rflags = regs->rflags, .rsp = regs->rsp,
		.ss = SELECTOR_DATA,
	};
	regs->rip = (uint64_t)dbos_flush_at_entry;
	regs->rflags = RFLAGS_FIXED;
}
