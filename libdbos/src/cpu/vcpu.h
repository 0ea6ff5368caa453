/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A virtual CPU: a thread inside the guest. Its memory is one mapping:
 *
 *	[ struct vcpu, GDT, TSS | IST stacks | guard | trap stack | guard | host stack ]
 *
 * Stacks besides the program's own. Every vector enters on an IST stack, because a trap at
 * CPL 0 would otherwise be pushed onto the interrupted stack and into its red zone (128 bytes
 * below RSP that leaf functions use without moving it). The entry code copies the frame to the
 * trap stack at once, so that the IST stack is free again for a trap within the handler. A double
 * fault has an IST stack of its own: the first one may be why there was a second fault. The host
 * stack is what the thread runs on in user space, between two stretches of guest code.
 */
#ifndef DBOS_VCPU_H
#define DBOS_VCPU_H

#include <stddef.h>
#include <stdint.h>

#include <dbos/dbos.h>
#include <dbos/stat.h>

#include "cpu/signals.h"
#include "hv/hv.h"

#define TRAP_STACK_SIZE (64 * 1024)
#define HOST_STACK_SIZE (64 * 1024)

/* More than the largest XSAVE area (11008 bytes, with AMX), which a trap puts below its frame. */
#define GUARD_SIZE (16 * 1024)

#define IST_STACKS 2	/* of all vectors; of the double fault */

struct dbos_tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3, iomap_base;
} __attribute__((packed));

/* What IRETQ takes. */
struct iret_frame {
	uint64_t rip, cs, rflags, rsp, ss;
};

#define RFLAGS_FIXED 0x2	/* always set */
#define RFLAGS_IF    0x200

struct vcpu {
	/* What assembly uses: see offsets.h. The guest's KERNEL_GS_BASE points here. */
	struct vcpu *self;
	/*
	 * 1: the next system call goes to the registered handlers. Bit 0: there are some; above
	 * it: how deep this vCPU is inside them (2 per level), whose own calls go to the host.
	 */
	uint32_t hook_state;
	uint32_t xsave_size;		/* 0: this CPU has FXSAVE only */
	uint64_t trap_stack_lo, trap_stack_hi;
	uint64_t host_stack;
	uint64_t scratch_rsp;
	struct dune_regs *regs;
	/* Of dbos_flush_at_entry: what it stores behind its flush, and where it goes then. */
	uint64_t *flush_word;
	uint64_t flush_value;
	struct iret_frame resume;
	/* Of ring 3 (cpu/ring3.S): whether it runs, and where ring 0 goes on. */
	uint64_t in_ring3;
	uint64_t ist_top;
	uint64_t ring3_stack;
	struct dbos_tf *ring3_frame;
	uint64_t ring3_cr3;

	struct dbos *dbos;
	unsigned int number;		/* in dbos->cpus */
	struct vcpu *next;		/* in dbos->vcpus */
	struct hv_vcpu hv;
	uint64_t syscalls;		/* made by the host for this guest */
	uint64_t refused_va, refused_length;	/* of the last fault at a call: what it wants */
	uint64_t counter_calls;		/* exits made only to ask for the number of exits */
	struct dune_regs fork_regs;	/* of the child, until it is outside */
	struct dbos_stat_vcpu *stat;	/* of this number, which others read */
	struct {
		uint64_t faults, syscalls;	/* what it had counted for earlier threads */
	} stat_before;
	struct signals signals;
	uint64_t gdt[8];
	struct dbos_tss tss;
};

/* Of the mapping, what an entry from ring 3 touches before it has ring 0's page table. */
#define VCPU_ENTRY_PAGES (1 + IST_STACKS)

#define VCPU_MAPPING_SIZE                                                                  \
	(VCPU_ENTRY_PAGES * 4096 + GUARD_SIZE + TRAP_STACK_SIZE + GUARD_SIZE + HOST_STACK_SIZE)

int vcpu_create(struct dbos *dbos, struct vcpu **out);
void vcpu_destroy(struct vcpu *vcpu);
void vcpu_unlink(struct vcpu *vcpu);		/* the part of it that needs no stack of another */

/* The guest's vector registers become the thread's. From user space, behind a run. */
static inline int vcpu_vectors_out(struct vcpu *vcpu)
{
	const struct hv_ops *ops = vcpu->hv.hv->ops;

	return ops->vectors_out ? ops->vectors_out(&vcpu->hv) : 0;
}

/* traps.S, enter.S */
extern char dbos_trap_stubs[];		/* 256, DBOS_TRAP_STUB_SIZE bytes apart */
extern char dbos_syscall_entry[];
extern char dbos_syscall_return[];	/* behind its OUT: the caller's RIP is in RCX */
extern char dbos_syscall_flags_back[];	/* the last two instructions, with interrupts on */
extern char dbos_syscall_jump[];
extern char dbos_syscall_trap[];	/* registers as at SYSCALL: the way through handlers */
extern char dbos_flush_at_entry[];	/* flushes, then goes on at vcpu->resume */
/* @loop runs in user space on the host stack; it returns the registers to go on with there. */
void dbos_vcpu_enter(struct vcpu *vcpu, const struct dune_regs *(*loop)(struct vcpu *vcpu));
void dbos_resume_native(const struct dune_regs *regs) __attribute__((noreturn));
void dbos_exit_thread(void *mapping, size_t length, long status) __attribute__((noreturn));

/* traps.c: every gate an interrupt gate, onto IST 1 or, for the double fault, 2 */
struct idt_gate {
	uint64_t low, high;
};
#define DBOS_IDT_SIZE (256 * sizeof(struct idt_gate))
void traps_fill_idt(struct idt_gate idt[256]);

/* The code that asks runs at CPL 0, so in the guest. */
static inline bool cpu_in_guest(void)
{
	uint16_t cs;

	__asm__ volatile("mov %%cs, %0" : "=r"(cs));
	return (cs & 3) == 0;
}

/* Calls the run loop; only inside. It may continue in user space: see dbos_resume_native. */
#define vcpu_hypercall(port, rdi, rsi)                                                     \
	__asm__ volatile("out %%eax, %0"                                                   \
			 :                                                                 \
			 : "N"(port), "D"(rdi), "S"(rsi)                                   \
			 : "rcx", "r11", "cc", "memory")

#endif /* DBOS_VCPU_H */
