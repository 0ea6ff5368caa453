/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's trap stubs, copied to GUEST_STUBS. Each leaves a struct trap on the stack, tells the
 * process, and goes on wherever the struct says then. No register of the guest changes.
 */
	.section .rodata
	.globl	trap_stubs, trap_stubs_end
	.hidden	trap_stubs, trap_stubs_end
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
	.else
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr
	.balign	16
trap_common:
	out	%al, $0xf0
	add	$16, %rsp
	iretq
trap_stubs_end:

	.section .note.GNU-stack, "", @progbits
