/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The program's signal actions, and the host's side of signals (cpu/signals.h says what becomes of
 * them in the guest).
 *
 * While threads are inside, the host knows one handler, ours, for every signal that the program
 * handles; default actions and ignored signals are the host's, as are masks and what is pending.
 * Ours notes the signal if it has interrupted a run loop, and calls the program's handler if not:
 * the thread is outside then. When the last thread leaves the host gets the program's actions back.
 */
#ifndef DBOS_SIGNALS_H
#define DBOS_SIGNALS_H

#include "cpu/vcpu.h"
#include "sys/pass.h"

/* By the run loop, before the first run and behind the last one. */
void signals_enter(struct vcpu *vcpu);
void signals_leave(struct vcpu *vcpu);

/* By the child of a fork, which is the only thread there is. */
void signals_forked(void);

/* The thread ends; its mask is full. What it has taken and not begun is somebody else's. */
void signals_exit(struct vcpu *vcpu);

/* rt_sigaction in vcpu->regs. */
long signal_action_call(struct vcpu *vcpu, struct pass_fault *fault);

/* The default for a signal that the program handles: SA_RESETHAND. */
void signal_action_reset(int signo);

/* Puts it back. */
void signal_action_set(int signo, const struct signal_action *action);

/* What the program's action for @signo is. False: not a handler. */
bool signal_action_find(int signo, struct signal_action *action);

/* signal_masks.c: the program's mask, which is not the host's while a record is pending. */
void signal_mask_becomes(struct vcpu *vcpu, uint64_t mask);
uint64_t signal_mask_fill(void);		/* of the host; the doorbell's too */
void signal_mask_host(const struct vcpu *vcpu, uint64_t mask);
uint64_t signal_bit(int signo);
uint64_t signal_mask_during(const struct signal_action *action, int signo, uint64_t mask);
/* The record goes back to the host, which has it pending then. The mask is full. */
void signal_give_back(struct vcpu *vcpu);
long signal_mask_call(struct vcpu *vcpu, struct pass_fault *fault);

/* signal_stack.c: sigaltstack in vcpu->regs. */
long signal_stack_call(struct vcpu *vcpu, struct pass_fault *fault);

/* signal_faults.c: the exception in vcpu->signals.trap becomes a record, or the process ends. */
void signal_fault(struct vcpu *vcpu, const struct dbos_tf *tf, bool may_handle);

#endif /* DBOS_SIGNALS_H */
