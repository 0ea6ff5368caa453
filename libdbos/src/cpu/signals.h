/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Signals of a thread that is inside.
 *
 * The host delivers a signal to the run loop, for that is where it sees the thread. There it is
 * only noted (sys/signals.c): the record below, all further signals held back by the host, and the
 * vCPU's own doorbell rung. The doorbell's interrupt comes when the program can take one, which is
 * just when it can take a signal: never in a trap handler, nor under a lock of ours. Its handler
 * builds the frame and begins the program's handler, all in the guest and through its own page
 * table (signal_frame.c). So a signal handler is guest code like any other: it may be interrupted,
 * fault, take another signal, and be left by siglongjmp().
 */
#ifndef DBOS_CPU_SIGNALS_H
#define DBOS_CPU_SIGNALS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <dbos/trap.h>

struct vcpu;

/* struct sigaction as the kernel has it. */
struct signal_action {
	uint64_t handler, flags, restorer, mask;
};

/* A signal that was taken from the host and whose handler has not begun. */
struct signal_record {
	siginfo_t info;
	struct signal_action action;	/* when it was taken */
	uint64_t before;		/* the mask that the handler's end brings back */
	uint64_t during;
};

/* The last exception that became a signal; frames tell of it until there is another one. */
struct signal_trap {
	uint64_t vector, error_code, address;
	uint64_t detail;	/* unmasked exceptions of x87 or SSE; DR6 of a debug trap */
	uint64_t cr2;		/* of the last page fault */
	bool no_frame;		/* but now a frame could not be written or read */
};

/* By the vCPU's thread alone, inside and outside. */
struct signals {
	uint64_t pending;		/* there is a record, and the host's mask is full */
	bool inside;			/* the run loop runs a guest */
	bool interruptible;		/* the call that is being made; see sys/interruptible.h */
	bool waits;			/* it puts this mask in place while it waits */
	uint64_t wait_mask;
	struct signal_record record;
	struct signal_trap trap;
	stack_t stack;			/* the alternate one; the host knows of none */
	uint32_t vectors_size;		/* of an XSAVE area, to the byte; 512: FXSAVE */
};

/* Length of the instruction that makes a call. */
#define SYSCALL_LENGTH 2

/*
 * All on the trap stack, interrupts off, with the vector registers of @tf at @vectors, where the
 * end of the trap takes them from.
 */

/* Behind a doorbell: if a signal is due, @tf goes on in its handler. */
void signal_deliver(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors);

/* An exception that nobody has handled becomes a signal, or the end of the process. */
void signal_trap(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors, uint64_t address);

/* rt_sigreturn: @tf goes on where the frame says that lies at its stack pointer. */
void signal_return(struct dbos_tf *tf, struct vcpu *vcpu, void *vectors);

#endif /* DBOS_CPU_SIGNALS_H */
