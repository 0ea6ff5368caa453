/* SPDX-License-Identifier: BSD-2-Clause */
#include "leaf.h"

	.text
	.globl leaf
	.type leaf, @function
leaf:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rsi		/* out: nothing is pushed while the red zone is in use */
	mov %rdx, %rcx

	mov $-1, %eax
	mov $-1, %edx
	xrstor64 LEAF_XSAVE(%rdi)
	push LEAF_FLAGS(%rdi)
	popf			/* from here on no instruction changes flags */
	.irp at, 0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120
	mov LEAF_RED_ZONE + \at(%rdi), %rax
	mov %rax, \at - 128(%rsp)
	.endr
	mov 0(%rdi), %rax
	mov 8(%rdi), %rbx
	mov 16(%rdi), %rdx
	mov 24(%rdi), %rsi
	mov 40(%rdi), %rbp
	mov 48(%rdi), %r8
	mov 56(%rdi), %r9
	mov 64(%rdi), %r10
	mov 72(%rdi), %r11
	mov 80(%rdi), %r12
	mov 88(%rdi), %r13
	mov 96(%rdi), %r14
	mov 104(%rdi), %r15
	mov 32(%rdi), %rdi

1:	movb %al, (%r15)
	loop 1b			/* leaves flags alone (SDM 2A) */

	mov (%rsp), %rcx
	mov %rax, 0(%rcx)
	mov %rbx, 8(%rcx)
	mov %rdx, 16(%rcx)
	mov %rsi, 24(%rcx)
	mov %rdi, 32(%rcx)
	mov %rbp, 40(%rcx)
	mov %r8, 48(%rcx)
	mov %r9, 56(%rcx)
	mov %r10, 64(%rcx)
	mov %r11, 72(%rcx)
	mov %r12, 80(%rcx)
	mov %r13, 88(%rcx)
	mov %r14, 96(%rcx)
	mov %r15, 104(%rcx)
	.irp at, 0, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120
	mov \at - 128(%rsp), %rax
	mov %rax, LEAF_RED_ZONE + \at(%rcx)
	.endr
	pushf
	pop LEAF_FLAGS(%rcx)
	cld
	mov $-1, %eax
	mov $-1, %edx
	xsave64 LEAF_XSAVE(%rcx)

	pop %rsi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret
	.size leaf, . - leaf

	.section .note.GNU-stack, "", @progbits
