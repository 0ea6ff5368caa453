/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void model_switch(void **save, void *load): from one vCPU's stack to another's. What a function
 * call preserves is all there is to preserve; swapcontext() would make a system call each time.
 */
	.text
	.globl	model_switch
	.type	model_switch, @function
model_switch:
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, (%rdi)
	mov	%rsi, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	ret
	.size	model_switch, . - model_switch

	.section .note.GNU-stack, "", @progbits
