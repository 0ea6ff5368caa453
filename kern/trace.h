/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints: what a virtual machine does, for perf, bpftrace and `dbos-lab trace`. A tracepoint
 * that is off costs a jump over it.
 *
 * @vm is the number that the VM's directory in debugfs ends in. The codes of exits are the CPU's
 * own, for a reader with the manual beside it (SVM: APM 2, appendix C; VT-x: SDM 3D, appendix C).
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM dune

#if !defined(DUNE_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define DUNE_TRACE_H

#include <linux/tracepoint.h>
#include <asm/svm.h>
#include <uapi/asm/vmx.h>

#include "hypervisor.h"

TRACE_EVENT(dune_entry,
	TP_PROTO(const struct vcpu *vcpu, bool flush),
	TP_ARGS(vcpu, flush),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u64, rip)
		__field(bool, flush)
	),
	TP_fast_assign(
		__entry->vm = vcpu->vm->id;
		__entry->rip = vcpu->run->regs.rip;
		__entry->flush = flush;
	),
	TP_printk("vm %llu rip %#llx flush %d", __entry->vm, __entry->rip, __entry->flush)
);

TRACE_EVENT(dune_exit,
	TP_PROTO(const struct vcpu *vcpu, u32 code, u64 info1, u64 info2),
	TP_ARGS(vcpu, code, info1, info2),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u64, rip)
		__field(u64, info1)
		__field(u64, info2)
		__field(u32, code)
		__field(u32, vendor)
	),
	TP_fast_assign(
		__entry->vm = vcpu->vm->id;
		__entry->rip = vcpu->run->regs.rip;
		__entry->info1 = info1;
		__entry->info2 = info2;
		__entry->code = code;
		__entry->vendor = vendor()->id;
	),
	/* The name is last, for it may have blanks. */
	TP_printk("vm %llu rip %#llx code %#x info1 %#llx info2 %#llx %s", __entry->vm,
		  __entry->rip, __entry->code, __entry->info1, __entry->info2,
		  __entry->vendor == DUNE_VENDOR_SVM ?
			__print_symbolic(__entry->code, SVM_EXIT_REASONS) :
			__print_symbolic(__entry->code, VMX_EXIT_REASONS))
);

/* A second-level fault, after it was dealt with: 0, or why the process may not resolve it. */
TRACE_EVENT(dune_fault,
	TP_PROTO(const struct vm *vm, u64 gpa, u32 flags, int result),
	TP_ARGS(vm, gpa, flags, result),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u64, gpa)
		__field(u32, flags)
		__field(int, result)
	),
	TP_fast_assign(
		__entry->vm = vm->id;
		__entry->gpa = gpa;
		__entry->flags = flags;
		__entry->result = result;
	),
	TP_printk("vm %llu gpa %#llx %s result %d", __entry->vm, __entry->gpa,
		  __print_flags(__entry->flags, "|",
				{ DUNE_FAULT_WRITE, "write" }, { DUNE_FAULT_EXEC, "exec" }),
		  __entry->result)
);

/* The kernel is about to change what the process has mapped in [start, end). */
TRACE_EVENT(dune_notifier,
	TP_PROTO(const struct vm *vm, u64 start, u64 end),
	TP_ARGS(vm, start, end),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u64, start)
		__field(u64, end)
	),
	TP_fast_assign(
		__entry->vm = vm->id;
		__entry->start = start;
		__entry->end = end;
	),
	TP_printk("vm %llu hva %#llx-%#llx", __entry->vm, __entry->start, __entry->end)
);

TRACE_EVENT(dune_inject,
	TP_PROTO(const struct vm *vm, const struct dune_event *event),
	TP_ARGS(vm, event),
	TP_STRUCT__entry(
		__field(u64, vm)
		__field(u64, cr2)
		__field(u32, error_code)
		__field(u8, vector)
	),
	TP_fast_assign(
		__entry->vm = vm->id;
		__entry->cr2 = event->cr2;
		__entry->error_code = event->error_code;
		__entry->vector = event->vector;
	),
	TP_printk("vm %llu vector %u error %#x cr2 %#llx", __entry->vm, __entry->vector,
		  __entry->error_code, __entry->cr2)
);

#endif /* DUNE_TRACE_H */

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
