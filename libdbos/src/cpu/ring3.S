/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way to ring 3 and back. Ring 3 has a page table of its own, in which of ring 0 there is only
 * this section, the vCPU's own page, its IST stack and the IDT: so what runs here on that table
 * touches nothing else, and interrupts are off.
 */
#include "cpu/frame.h"
#include "cpu/offsets.h"

	.section dbos_entry, "ax", @progbits
	.balign	4096

/*
 * void dbos_ring3_enter(struct vcpu *vcpu, struct dbos_tf *tf, uint64_t cr3)
 *
 * Returns when ring 3 has trapped, with its registers in *tf. RFLAGS and SS are ours by then, FS,
 * GS, DS, ES and the vector registers still those of ring 3.
 */
	.globl	dbos_ring3_enter
	.type	dbos_ring3_enter, @function
dbos_ring3_enter:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, VCPU_RING3_STACK(%rdi)
	mov	%rsi, VCPU_RING3_FRAME(%rdi)
	mov	%cr3, %rax
	mov	%rax, VCPU_RING3_CR3(%rdi)
	mov	VCPU_IST_TOP(%rdi), %rdi
	sub	$TF_SIZE, %rdi
	mov	%rdi, %rax
	mov	$(TF_SIZE / 8), %ecx
	rep movsq
	mov	%rax, %rsp
	mov	%rdx, %cr3
	POP_REGISTERS
	add	$16, %rsp			/* num, err */
	iretq
	.size	dbos_ring3_enter, . - dbos_ring3_enter

/*
 * RSI: struct dbos_tf on the IST stack; RBX: struct vcpu. Of the flags of ring 3 a gate leaves AC
 * and the arithmetic ones; SS is null.
 */
	.globl	dbos_ring3_trap
dbos_ring3_trap:
	mov	VCPU_RING3_CR3(%rbx), %rax
	mov	%rax, %cr3
	mov	VCPU_RING3_FRAME(%rbx), %rdi
	mov	$(TF_SIZE / 8), %ecx
	rep movsq
	mov	VCPU_RING3_STACK(%rbx), %rsp
	mov	$SELECTOR_DATA, %eax
	mov	%eax, %ss
	push	$2
	popf
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

/* SYSCALL in ring 3, behind SWAPGS. It changes no stack: RSP may be anything. */
	.globl	dbos_ring3_syscall
dbos_ring3_syscall:
	mov	%rsp, %gs:VCPU_SCRATCH_RSP
	mov	%gs:VCPU_IST_TOP, %rsp
	push	$SELECTOR_USER_DATA
	push	%gs:VCPU_SCRATCH_RSP
	push	%r11
	push	$SELECTOR_USER_CODE
	push	%rcx
	push	$0
	push	$DBOS_TRAP_SYSCALL_NR
	PUSH_REGISTERS
	mov	%gs:VCPU_SELF, %rbx
	swapgs
	mov	%rsp, %rsi
	jmp	dbos_ring3_trap

	.balign	4096

	.section .note.GNU-stack, "", @progbits
