// SPDX-License-Identifier: BSD-2-Clause
/*
 * Frames of signals, in the guest: building one and going back through one. They are the kernel's
 * (struct rt_sigframe), to the last word. So a handler that calls dbos_leave(), or is copied by
 * fork(), returns through the kernel, and one that has called dbos_enter() returns through us.
 */
#include <stddef.h>
#include <sys/ucontext.h>

#include "cpu/offsets.h"
#include "cpu/signal_vectors.h"
#include "dbos_internal.h"

#define SA_RESTORER 0x04000000
#define AUTODISARM  (1u << 31)	/* SS_AUTODISARM */

#define VECTOR_DB 1
#define VECTOR_MF 16
#define VECTOR_PF 14
#define VECTOR_XM 19

#define RED_ZONE 128

/* There are vector registers of XSAVE; SS is right, and is meant (UC_FP_XSTATE and following). */
#define CONTEXT_XSAVE 1
#define CONTEXT_SS    6

/* The selectors that a program has outside. */
#define CONTEXT_SELECTORS (0x33ull | 0x2bull << 48)

/* CF, PF, AF, ZF, SF, TF, DF, OF, RF, AC: what a frame may change. */
#define RFLAGS_CONTEXT 0x50dd5ull
/* TF, DF, RF: what a handler begins without. */
#define RFLAGS_HANDLER 0x10500ull

#define DR6_INITIAL 0xffff0ff0ull

#define ADDRESS_BITS 47

struct signal_context {
	uint64_t flags, link;
	stack_t stack;
	uint64_t registers[NGREG];
	uint64_t vectors;
	uint64_t reserved[8];
	uint64_t mask;
};

struct signal_frame {
	uint64_t return_address;
	struct signal_context context;
	siginfo_t info;
};

_Static_assert(sizeof(struct signal_context) == 304, "the kernel's struct ucontext");
_Static_assert(offsetof(struct signal_context, mask) == offsetof(ucontext_t, uc_sigmask), "ABI");
_Static_assert(offsetof(struct signal_frame, info) == 312, "the kernel's struct rt_sigframe");

static bool is_on(const stack_t *stack, uint64_t sp)
{
	return !((unsigned int)stack->ss_flags & AUTODISARM) && sp > (uint64_t)stack->ss_sp &&
	       sp - (uint64_t)stack->ss_sp <= stack->ss_size;
}

/* The program's code, in which a signal may come: not a handler of traps. */
static bool is_program(const struct dbos_tf *tf, const struct vcpu *vcpu)
{
	return tf->rflags & RFLAGS_IF && (tf->cs & 3) == 0 &&
	       tf->rsp - vcpu->trap_stack_lo > TRAP_STACK_SIZE;
}

/* At the end of the entry of system calls: the caller goes on, and that is where he is. */
static void finish_syscall(struct dbos_tf *tf)
{
	if (tf->rip == (uint64_t)dbos_syscall_flags_back)
		tf->rsp += RED_ZONE;
	else if (tf->rip != (uint64_t)dbos_syscall_jump)
		return;
	tf->rip = tf->rcx;
}

static void registers_out(const struct dbos_tf *tf, uint64_t *registers)
{
	registers[REG_R8] = tf->r8;
	registers[REG_R9] = tf->r9;
	registers[REG_R10] = tf->r10;
	registers[REG_R11] = tf->r11;
	registers[REG_R12] = tf->r12;
	registers[REG_R13] = tf->r13;
	registers[REG_R14] = tf->r14;
	registers[REG_R15] = tf->r15;
	registers[REG_RDI] = tf->rdi;
	registers[REG_RSI] = tf->rsi;
	registers[REG_RBP] = tf->rbp;
	registers[REG_RBX] = tf->rbx;
	registers[REG_RDX] = tf->rdx;
	registers[REG_RAX] = tf->rax;
	registers[REG_RCX] = tf->rcx;
	registers[REG_RSP] = tf->rsp;
	registers[REG_RIP] = tf->rip;
	registers[REG_EFL] = tf->rflags;
	registers[REG_CSGSFS] = CONTEXT_SELECTORS;
}

static void registers_in(struct dbos_tf *tf, const uint64_t *registers)
{
	tf->r8 = registers[REG_R8];
	tf->r9 = registers[REG_R9];
	tf->r10 = registers[REG_R10];
	tf->r11 = registers[REG_R11];
	tf->r12 = registers[REG_R12];
	tf->r13 = registers[REG_R13];
	tf->r14 = registers[REG_R14];
	tf->r15 = registers[REG_R15];
	tf->rdi = registers[REG_RDI];
	tf->rsi = registers[REG_RSI];
	tf->rbp = registers[REG_RBP];
	tf->rbx = registers[REG_RBX];
	tf->rdx = registers[REG_RDX];
	tf->rax = registers[REG_RAX];
	tf->rcx = registers[REG_RCX];
	tf->rsp = registers[REG_RSP];
	tf->rip = registers[REG_RIP];
	tf->rflags = RFLAGS_FIXED | RFLAGS_IF | (registers[REG_EFL] & RFLAGS_CONTEXT);
}

/* Where the frame begins, from its end @top down, and its vector registers. */
static uint64_t place(const struct vcpu *vcpu, uint64_t top, uint64_t *vectors)
{
	*vectors = (top - signal_vectors_size(vcpu)) & -64ull;
	/* As behind a CALL: 8 below a multiple of 16. */
	return ((*vectors - sizeof(struct signal_frame)) & -16ull) - 8;
}

static void fill(struct signal_frame *frame, const struct dbos_tf *tf, const struct vcpu *vcpu)
{
	const struct signals *signals = &vcpu->signals;
	uint64_t *registers = frame->context.registers;

	*frame = (struct signal_frame){
		.return_address = signals->record.action.restorer,
		.context = {
			.flags = CONTEXT_SS | (vcpu->xsave_size ? CONTEXT_XSAVE : 0),
			.stack = signals->stack,
			.mask = signals->record.before,
		},
		.info = signals->record.info,
	};
	registers_out(tf, registers);
	registers[REG_ERR] = signals->trap.error_code & ~DBOS_FEC_HOST;
	registers[REG_TRAPNO] = signals->trap.vector;
	registers[REG_CR2] = signals->trap.cr2;
}

/* False: the frame can't be written where it belongs. Then nothing has changed. */
static bool begin_handler(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors)
{
	struct signals *signals = &vcpu->signals;
	const struct signal_action *action = &signals->record.action;
	uint64_t top = tf->rsp - RED_ZONE, sp;
	bool nested = is_on(&signals->stack, top);
	bool alternate = action->flags & SA_ONSTACK && signals->stack.ss_size && !nested;
	struct signal_frame frame;

	if (alternate)
		top = (uint64_t)signals->stack.ss_sp + signals->stack.ss_size;
	fill(&frame, tf, vcpu);
	sp = place(vcpu, top, &frame.context.vectors);
	if (!(action->flags & SA_RESTORER) ||
	    ((alternate || nested) && sp - (uint64_t)signals->stack.ss_sp > signals->stack.ss_size))
		return false;
	if (!signal_vectors_out(vcpu, vectors, frame.context.vectors) ||
	    !dbos_signal_copy((void *)sp, &frame, sizeof(frame)))
		return false;
	if ((unsigned int)signals->stack.ss_flags & AUTODISARM)
		signals->stack = (stack_t){ .ss_flags = SS_DISABLE };
	tf->rdi = signals->record.info.si_signo;
	tf->rsi = sp + offsetof(struct signal_frame, info);
	tf->rdx = sp + offsetof(struct signal_frame, context);
	tf->rax = 0;
	tf->rsp = sp;
	tf->rip = action->handler;
	tf->rflags &= ~RFLAGS_HANDLER;
	return true;
}

static void lose_frame(struct dbos_tf *tf, struct vcpu *vcpu)
{
	vcpu->signals.trap.no_frame = true;
	vcpu_hypercall(PORT_UNHANDLED, tf, 1);
}

void signal_deliver(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors)
{
	struct signals *signals = &vcpu->signals;

	if (!signals->pending || !is_program(tf, vcpu))
		return;
	finish_syscall(tf);
	/* It becomes a SIGSEGV, and if that has no frame either, the end. */
	while (!begin_handler(tf, vcpu, vectors))
		lose_frame(tf, vcpu);
	signals->pending = 0;
	vcpu_hypercall(PORT_SIGNAL_MASK, signals->record.during, 0);
}

static uint64_t trap_detail(const struct dbos_tf *tf, const void *vectors)
{
	uint64_t dr6;

	if (tf->num == VECTOR_MF || tf->num == VECTOR_XM)
		return signal_vectors_exceptions(vectors, tf->num == VECTOR_XM);
	if (tf->num != VECTOR_DB)
		return 0;
	__asm__ volatile("mov %%db6, %0" : "=r"(dr6));
	__asm__ volatile("mov %0, %%db6" : : "r"(DR6_INITIAL));
	return dr6 ^ DR6_INITIAL;
}

void signal_trap(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors, uint64_t address)
{
	if (tf->rip == (uint64_t)dbos_signal_copy_access) {
		tf->rip = (uint64_t)dbos_signal_copy_failed;
		return;
	}
	vcpu->signals.trap = (struct signal_trap){
		.vector = tf->num, .error_code = tf->err, .address = address,
		.detail = trap_detail(tf, vectors),
		.cr2 = tf->num == VECTOR_PF ? address : vcpu->signals.trap.cr2,
	};
	/* Comes back with a record, if at all. */
	vcpu_hypercall(PORT_UNHANDLED, tf, is_program(tf, vcpu));
	signal_deliver(tf, vcpu, vectors);
}

static bool read_frame(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors,
		       struct signal_context *context)
{
	int64_t rip;

	if (!dbos_signal_copy(context, (void *)tf->rsp, sizeof(*context)))
		return false;
	/* IRETQ to an address that is none would fault here, not there. */
	rip = context->registers[REG_RIP];
	return rip >> ADDRESS_BITS == 0 && signal_vectors_in(vcpu, vectors, context->vectors);
}

void signal_return(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors)
{
	struct signals *signals = &vcpu->signals;
	struct signal_context context;

	if (!read_frame(tf, vcpu, vectors, &context)) {
		lose_frame(tf, vcpu);
		signal_deliver(tf, vcpu, vectors);
		return;
	}
	registers_in(tf, context.registers);
	if (!is_on(&signals->stack, tf->rsp))
		signals->stack = context.stack;
	vcpu_hypercall(PORT_SIGNAL_MASK, context.mask, 0);
}
