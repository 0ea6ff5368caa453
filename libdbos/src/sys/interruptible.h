/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's system calls, which a signal interrupts. Between a look whether one is due and the
 * SYSCALL instruction another may come; and the kernel begins a call again by going back to that
 * instruction, while the program's handler must run before. So a signal that is taken from the look
 * up to SYSCALL (signals.c) sends the thread to the end of the function, with -SIGNAL_RESTART: then
 * it is the program that goes back, behind its handler.
 */
#ifndef DBOS_INTERRUPTIBLE_H
#define DBOS_INTERRUPTIBLE_H

#include "cpu/vcpu.h"

/*
 * The call's result, or -SIGNAL_RESTART: not made, a signal is due. In vcpu->regs is the call of
 * the program's that it is made for; if that came from where no signal can be delivered (with
 * interrupts off), it is an ordinary call.
 */
long call_interruptible(struct vcpu *vcpu, uint64_t number, const uint64_t *arguments);

/* The call in vcpu->regs came from where a signal can be delivered behind it. */
bool call_is_interruptible(const struct vcpu *vcpu);

/* By the host's handler: as above, with the registers of the run loop that it has interrupted. */
void call_interrupt(struct vcpu *vcpu, uint64_t *rip, uint64_t *rax);

/* The call has ended in a wait under a mask of its own: which. */
bool call_wait_mask(const struct vcpu *vcpu, uint64_t rip, uint64_t rax, uint64_t *mask);

/* interruptible.S, child.S: from the look to behind SYSCALL, and where to go from in between. */
long dbos_host_call(const uint64_t *due, uint64_t number, const uint64_t *arguments);
extern char dbos_host_call_look[], dbos_host_call_end[], dbos_host_call_interrupted[];
extern char dbos_clone_look[], dbos_clone_end[], dbos_clone_interrupted[];

#endif /* DBOS_INTERRUPTIBLE_H */
