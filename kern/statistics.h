/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VM did, counted and traced: one call where it happens.
 *
 * Counters are per CPU, so that vCPUs share no cache line: an increment is one instruction. They
 * are always on; the tracepoints cost a jump while nobody listens.
 */
#ifndef DUNE_STATISTICS_H
#define DUNE_STATISTICS_H

#include <linux/percpu.h>

#include "hypervisor.h"
#include "trace.h"

/*
 * Codes of exits are dense below 0xc0 with both vendors. SVM has a few more from 0x400 on and one
 * for a refused VMRUN, all bits set; what is neither goes into the last counter.
 */
#define EXIT_CODES_LOW	   0xc0
#define EXIT_CODES_SVM	   0x400
#define EXIT_CODES_SVM_END 0x410
#define EXIT_COUNTERS	   (EXIT_CODES_LOW + EXIT_CODES_SVM_END - EXIT_CODES_SVM + 1)

struct vm_statistics {
	u64 faults;		/* second-level faults, resolved or not */
	u64 notifier_calls;
	u64 shootdowns;		/* flushes of all vCPUs */
	u64 flushes_behind;	/* of a TLB after an exit: SVM beside KVM */
	u64 injections;		/* exceptions asked for by the process */
	u64 exits[EXIT_COUNTERS];
};

static inline unsigned int exit_counter(u32 code)
{
	if (code < EXIT_CODES_LOW)
		return code;
	if (code >= EXIT_CODES_SVM && code < EXIT_CODES_SVM_END)
		return EXIT_CODES_LOW + code - EXIT_CODES_SVM;
	return EXIT_COUNTERS - 1;
}

/* Interrupts may be off. The registers are in the run page again. */
static inline void note_exit(struct vcpu *vcpu, u32 code, u64 info1, u64 info2)
{
	this_cpu_inc(vcpu->vm->statistics->exits[exit_counter(code)]);
	trace_dune_exit(vcpu, code, info1, info2);
}

static inline void note_fault(struct vm *vm, u64 gpa, u32 flags, int result)
{
	this_cpu_inc(vm->statistics->faults);
	trace_dune_fault(vm, gpa, flags, result);
}

static inline void note_notifier(struct vm *vm, u64 start, u64 end)
{
	this_cpu_inc(vm->statistics->notifier_calls);
	trace_dune_notifier(vm, start, end);
}

static inline void note_injection(struct vm *vm, const struct dune_event *event)
{
	this_cpu_inc(vm->statistics->injections);
	trace_dune_inject(vm, event);
}

static inline void note_flush_behind(struct vm *vm)
{
	this_cpu_inc(vm->statistics->flushes_behind);
}

static inline void note_shootdown(struct vm *vm)
{
	this_cpu_inc(vm->statistics->shootdowns);
}

#endif /* DUNE_STATISTICS_H */
