/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bool dbos_signal_copy(void *to, const void *from, size_t length): to or from the program's
 * memory. False if some of it can't be reached: a page fault at the access that nobody handles
 * goes on at the last label.
 */
	.text

	.globl	dbos_signal_copy
	.globl	dbos_signal_copy_access
	.globl	dbos_signal_copy_failed
	.type	dbos_signal_copy, @function
dbos_signal_copy:
	mov	%rdx, %rcx
dbos_signal_copy_access:
	rep movsb
	mov	$1, %eax
	ret
dbos_signal_copy_failed:
	xor	%eax, %eax
	ret
	.size	dbos_signal_copy, . - dbos_signal_copy

	.section .note.GNU-stack, "", @progbits
