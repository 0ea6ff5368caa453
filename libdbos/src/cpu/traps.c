// SPDX-License-Identifier: BSD-2-Clause
/* What happens to a trap once its registers are safe: the registered handlers, or the signal. */
#include <stddef.h>
#include <sys/syscall.h>

#include <dbos/timer.h>

#include "cpu/offsets.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"

#define VECTOR_PF 14

#define VECTOR_DF 8

/* Interrupt gate, present, DPL 0, 64-bit, through IST @ist (SDM 3A 6.14.1). */
#define GATE_ATTRIBUTES(ist) (0x8e00ull << 32 | (ist) << 32)

_Static_assert(sizeof(struct dbos_tf) == TF_SIZE, "offsets.h");
_Static_assert(offsetof(struct dbos_tf, num) == TF_NUM, "offsets.h");
_Static_assert(offsetof(struct dbos_tf, rip) == TF_RIP, "offsets.h");
_Static_assert(offsetof(struct dbos_tf, cs) == TF_CS, "offsets.h");
_Static_assert(offsetof(struct dbos_tf, rflags) == TF_RFLAGS, "offsets.h");
_Static_assert(offsetof(struct dbos_tf, rsp) == TF_RSP, "offsets.h");
_Static_assert(DBOS_TRAP_SYSCALL == DBOS_TRAP_SYSCALL_NR, "offsets.h");

void dbos_trap_dispatch(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors);

void traps_fill_idt(struct idt_gate idt[256])
{
	for (int i = 0; i < 256; i++) {
		uint64_t entry = (uint64_t)(dbos_trap_stubs + i * DBOS_TRAP_STUB_SIZE);

		idt[i].low = (entry & 0xffff) | (uint64_t)SELECTOR_CODE << 16 |
			     GATE_ATTRIBUTES(i == VECTOR_DF ? 2ull : 1ull) |
			     (entry & 0xffff0000) << 32;
		idt[i].high = entry >> 32;
	}
}

/* Below the frame, as traps.S puts it there. */
void *dbos_tf_vectors(const struct dbos_tf *tf, size_t *size)
{
	uint32_t xsave_size = dbos_instance()->doorbells[machine_cpu()].vcpu->xsave_size;

	*size = xsave_size ? xsave_size : 512;
	return (void *)(((uintptr_t)tf - *size) & (xsave_size ? ~63ul : ~0ul));
}

static uintptr_t read_cr2(void)
{
	uintptr_t cr2;

	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	return cr2;
}

/*
 * The count in hook_state sends what the handlers call themselves straight to the host. Only this
 * vCPU counts; bit 0 may be set by any thread, hence the atomics. A call that a signal has
 * interrupted is begun again as the program has made it, whatever handlers made of it.
 */
static void dispatch_syscall(struct dbos_tf *tf, struct vcpu *vcpu)
{
	const struct dbos_tf made = *tf;
	enum dbos_verdict verdict;

	__atomic_fetch_add(&vcpu->hook_state, 2, __ATOMIC_RELAXED);
	verdict = handlers_run_trap(&vcpu->dbos->handlers.syscalls, tf->rax, tf);
	if (verdict == DBOS_NEXT)
		tf->rax = dbos_syscall_host(tf);
	__atomic_fetch_sub(&vcpu->hook_state, 2, __ATOMIC_RELAXED);
	if (tf->rax == (uint64_t)-SIGNAL_RESTART) {
		*tf = made;
		tf->rip -= SYSCALL_LENGTH;
	}
}

/* Called by traps.S on the trap stack, interrupts off, vector registers saved at @vectors. */
void dbos_trap_dispatch(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors)
{
	uintptr_t address = tf->rip;
	enum dbos_verdict verdict;

	if (tf->num == DBOS_TRAP_SYSCALL) {
		if (tf->rax == SYS_rt_sigreturn)
			signal_return(tf, vcpu, vectors);
		else
			dispatch_syscall(tf, vcpu);
		return;
	}
	if (tf->num == HV_DOORBELL_VECTOR) {
		cpu_interrupt(&vcpu->dbos->cpus);
		if (timer_ticked(vcpu)) {
			tf->num = DBOS_TIMER_VECTOR;
			handlers_run_trap(&vcpu->dbos->handlers.traps, tf->num, tf);
		}
		signal_deliver(tf, vcpu, vectors);
		return;
	}
	if (tf->num == VECTOR_PF) {
		/* First of all: a fault inside a handler overwrites it. */
		address = read_cr2();
		verdict = handlers_run_fault(&vcpu->dbos->handlers.own_faults, address, tf->err,
					     tf);
		if (verdict == DBOS_NEXT)
			verdict = handlers_run_fault(&vcpu->dbos->handlers.faults, address,
						     tf->err, tf);
	} else {
		verdict = handlers_run_trap(&vcpu->dbos->handlers.traps, tf->num, tf);
	}
	if (verdict == DBOS_NEXT)
		signal_trap(tf, vcpu, vectors, address);
}

/* The host's SYSCALL convention, one OUT further down. A thread that this makes begins in @tf. */
static long syscall_from_guest(const struct dbos_tf *tf)
{
	register uint64_t r10 __asm__("r10") = tf->r10;
	register uint64_t r8 __asm__("r8") = tf->r8;
	register uint64_t r9 __asm__("r9") = tf->r9;
	long ret;

	__asm__ volatile("nop; out %%eax, %1"	/* SYSCALL_AGAIN */
			 : "=a"(ret)
			 : "N"(PORT_SYSCALL), "a"(tf->rax), "D"(tf->rdi), "S"(tf->rsi),
			   "d"(tf->rdx), "r"(r10), "r"(r8), "r"(r9), "b"(tf)
			 : "rcx", "r11", "memory");
	return ret;
}

/* A fork's child that is still inside a handler is in user space already. */
long dbos_syscall_host(const struct dbos_tf *tf)
{
	if (cpu_in_guest())
		return syscall_from_guest(tf);
	return host_syscall(tf->rax, tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9);
}
