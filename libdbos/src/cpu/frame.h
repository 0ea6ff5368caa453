/* SPDX-License-Identifier: BSD-2-Clause */
/* For assembly: the general registers of a struct dbos_tf, which grows down from RAX. */
#ifndef DBOS_FRAME_H
#define DBOS_FRAME_H

.macro PUSH_REGISTERS
	push	%rax
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbp
	push	%rbx
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
.endm

.macro POP_REGISTERS
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%rbx
	pop	%rbp
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rax
.endm

#endif /* DBOS_FRAME_H */
