/* SPDX-License-Identifier: BSD-2-Clause */
#include "cpu/offsets.h"

	.text

/*
 * long dbos_clone(const struct dune_regs *regs, uint64_t flags, uint64_t stack,
 *		   const uint64_t *due)
 *
 * SYS_clone, with every other register as in @regs, for the child keeps them all. It goes on where
 * the three words below its stack's red zone say: RSI, RDI, RIP, from the lowest one up. @due is
 * looked at as in interruptible.h.
 */
	.globl	dbos_clone
	.globl	dbos_clone_look
	.globl	dbos_clone_end
	.globl	dbos_clone_interrupted
	.type	dbos_clone, @function
dbos_clone:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rdi, %r11
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	REGS_RDX(%r11), %rdx
	mov	REGS_R10(%r11), %r10
	mov	REGS_R8(%r11), %r8
	mov	REGS_R9(%r11), %r9
	mov	REGS_RBX(%r11), %rbx
	mov	REGS_RBP(%r11), %rbp
	mov	REGS_R12(%r11), %r12
	mov	REGS_R13(%r11), %r13
	mov	REGS_R14(%r11), %r14
	mov	REGS_R15(%r11), %r15
	mov	$56, %eax			/* clone */
dbos_clone_look:
	cmpq	$0, (%rcx)
	jne	dbos_clone_interrupted
	syscall
dbos_clone_end:
	test	%rax, %rax
	jz	1f
2:	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
dbos_clone_interrupted:
	mov	$-SIGNAL_RESTART, %rax
	jmp	2b
1:	mov	-(CHILD_RED_ZONE + 8)(%rsp), %rcx
	mov	-(CHILD_RED_ZONE + 16)(%rsp), %rdi
	mov	-(CHILD_RED_ZONE + 24)(%rsp), %rsi
	jmp	*%rcx
	.size	dbos_clone, . - dbos_clone

	.section .note.GNU-stack, "", @progbits
