/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/offsets.h"

	.text

/*
 * long dbos_host_call(const uint64_t *due, uint64_t number, const uint64_t arguments[6]): see
 * interruptible.h. Nothing is pushed, so that the thread can be sent to the end from anywhere.
 */
	.globl	dbos_host_call
	.globl	dbos_host_call_look
	.globl	dbos_host_call_end
	.globl	dbos_host_call_interrupted
	.type	dbos_host_call, @function
dbos_host_call:
	mov	%rsi, %rax
	mov	%rdi, %rcx
	mov	%rdx, %r11
	mov	(%r11), %rdi
	mov	8(%r11), %rsi
	mov	16(%r11), %rdx
	mov	24(%r11), %r10
	mov	32(%r11), %r8
	mov	40(%r11), %r9
dbos_host_call_look:
	cmpq	$0, (%rcx)
	jne	dbos_host_call_interrupted
	syscall
dbos_host_call_end:
	ret
dbos_host_call_interrupted:
	mov	$-SIGNAL_RESTART, %rax
	ret
	.size	dbos_host_call, . - dbos_host_call

/* The restorer of the host's handler, of the instructions by which unwinders know one. */
	.balign	16
	nop
	.globl	dbos_signal_restorer
	.type	dbos_signal_restorer, @function
dbos_signal_restorer:
	mov	$15, %rax			/* rt_sigreturn */
	syscall
	.size	dbos_signal_restorer, . - dbos_signal_restorer

	.section .note.GNU-stack, "", @progbits
