/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * void dune_return_to_ring0(const struct dune_tf *tf): all of its registers, and on there. From
 * a copy on this stack, where nothing is stored meanwhile: traps have a stack of their own, and
 * interrupts are off, for a signal's frame would be.
 */
#include "cpu/frame.h"
#include "cpu/offsets.h"

	.text
	.globl	dune_return_to_ring0
	.type	dune_return_to_ring0, @function
dune_return_to_ring0:
	cli
	sub	$TF_SIZE, %rsp
	and	$-16, %rsp
	mov	%rdi, %rsi
	mov	%rsp, %rdi
	mov	$(TF_SIZE / 8), %ecx
	cld
	rep movsq
	movq	$SELECTOR_CODE, TF_CS(%rsp)
	movq	$SELECTOR_DATA, (TF_SIZE - 8)(%rsp)	/* SS */
	POP_REGISTERS
	add	$16, %rsp			/* num, err */
	iretq
	.size	dune_return_to_ring0, . - dune_return_to_ring0

	.section .note.GNU-stack, "", @progbits
