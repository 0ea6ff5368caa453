/* SPDX-License-Identifier: BSD-2-Clause */
/* The last things that a case does, with R12 marked and at a known RIP. */
#define MARK 0x0bad5eed0bad5eed

	.text
	.globl	act_ud2, act_ud2_at
act_ud2:
	movabs	$MARK, %r12
act_ud2_at:
	ud2

	.globl	act_read, act_read_at
act_read:
	push	%r12
	movabs	$MARK, %r12
act_read_at:
	movb	(%rdi), %al
	pop	%r12
	ret

	.globl	act_jump
act_jump:
	movabs	$MARK, %r12
	jmp	*%rdi

	.globl	act_load_cr3, act_load_cr3_at, act_load_cr3_behind
act_load_cr3:
	movabs	$MARK, %r12
act_load_cr3_at:
	mov	%rdi, %cr3
act_load_cr3_behind:
	nop
	ret

	.section .note.GNU-stack, "", @progbits
