/* SPDX-License-Identifier: BSD-2-Clause */
/* From user space into the guest, and from the guest's registers back into user space. */
#include "cpu/offsets.h"

	.text

/*
 * void dbos_vcpu_enter(struct vcpu *vcpu, const struct dune_regs *(*loop)(struct vcpu *vcpu))
 *
 * Returns inside the guest: the guest's first instruction is our caller's next one, on our
 * caller's stack. The thread itself goes on in @loop, on the vCPU's host stack, and comes
 * back through dbos_resume_native when @loop returns.
 */
	.globl	dbos_vcpu_enter
	.type	dbos_vcpu_enter, @function
dbos_vcpu_enter:
	mov	VCPU_REGS(%rdi), %rax
	mov	%rbx, REGS_RBX(%rax)
	mov	%rbp, REGS_RBP(%rax)
	mov	%r12, REGS_R12(%rax)
	mov	%r13, REGS_R13(%rax)
	mov	%r14, REGS_R14(%rax)
	mov	%r15, REGS_R15(%rax)
	pop	%rcx
	mov	%rcx, REGS_RIP(%rax)
	mov	%rsp, REGS_RSP(%rax)
	movq	$0x202, REGS_RFLAGS(%rax)	/* IF, and the bit that is always set */
	mov	VCPU_HOST_STACK(%rdi), %rsp
	xor	%ebp, %ebp			/* the end of the line for a stack unwinder */
	call	*%rsi
	mov	%rax, %rdi
	/* fall through */

/*
 * void dbos_resume_native(const struct dune_regs *regs): goes on in user space where the guest
 * is. RCX and R11 are lost, as after SYSCALL; the arithmetic flags too.
 */
	.globl	dbos_resume_native
	.type	dbos_resume_native, @function
dbos_resume_native:
	cld
	mov	REGS_RIP(%rdi), %rcx
	mov	REGS_RAX(%rdi), %rax
	mov	REGS_RBX(%rdi), %rbx
	mov	REGS_RDX(%rdi), %rdx
	mov	REGS_RSI(%rdi), %rsi
	mov	REGS_RSP(%rdi), %rsp
	mov	REGS_RBP(%rdi), %rbp
	mov	REGS_R8(%rdi), %r8
	mov	REGS_R9(%rdi), %r9
	mov	REGS_R10(%rdi), %r10
	mov	REGS_R12(%rdi), %r12
	mov	REGS_R13(%rdi), %r13
	mov	REGS_R14(%rdi), %r14
	mov	REGS_R15(%rdi), %r15
	mov	REGS_RDI(%rdi), %rdi
	jmp	*%rcx
	.size	dbos_vcpu_enter, . - dbos_vcpu_enter

/*
 * void dbos_exit_thread(void *stack_mapping, size_t length, long status): the end of a thread that
 * runs on memory it has to give back. Between the two calls there is no stack.
 */
	.globl	dbos_exit_thread
	.type	dbos_exit_thread, @function
dbos_exit_thread:
	mov	%rdx, %r12
	mov	$11, %eax			/* munmap */
	syscall
	mov	%r12, %rdi
	mov	$60, %eax			/* exit */
	syscall
	ud2
	.size	dbos_exit_thread, . - dbos_exit_thread

	.section .note.GNU-stack, "", @progbits
