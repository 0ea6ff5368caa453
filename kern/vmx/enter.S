/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bool vmx_enter(regs: %rdi, launched: %esi, IA32_SPEC_CTRL: %rdx)
 *
 * The VMCS switches RSP, RIP, RFLAGS, segments and control registers; the general registers are
 * ours to switch, and CR2 is our caller's. FPU registers stay: see vcpu.c.
 *
 * An exit comes to vmx_exit_point with RSP as it was at the VMWRITE and CF and ZF clear (SDM 3C
 * 28.5.3); an entry that the CPU refuses goes on there too, with one of the two set (SDM 3C 31.2).
 */
#include <asm/ibt.h>

#include "barriers.h"

/* struct dune_regs; vmx.c asserts them. */
#define REGS_RAX  0
#define REGS_RBX  8
#define REGS_RCX  16
#define REGS_RDX  24
#define REGS_RSI  32
#define REGS_RDI  40
#define REGS_RBP  56
#define REGS_R8	  64
#define REGS_R9	  72
#define REGS_R10  80
#define REGS_R11  88
#define REGS_R12  96
#define REGS_R13  104
#define REGS_R14  112
#define REGS_R15  120

#define VMCS_HOST_RSP 0x6c14

.text
#ifndef HAVE_CLEAR_BHB_LOOP
/*
 * Intel's sequence for CPUs that must overwrite the branch history by branches ("Branch History
 * Injection and Intra-mode Branch Target Injection", software BHB-clearing sequence), where the
 * kernel keeps its own to KVM. ECX: how deep. Clobbers EAX.
 */
SYM_FUNC_START_LOCAL(overwrite_history)
	call	overwrite_level
	RET
SYM_FUNC_END(overwrite_history)

SYM_FUNC_START_LOCAL(overwrite_level)
	mov	$5, %eax
1:	jmp	2f
	nop
2:	sub	$1, %eax
	jnz	1b
	sub	$1, %ecx
	jnz	overwrite_history
	RET
SYM_FUNC_END(overwrite_level)
#endif

SYM_FUNC_START(vmx_enter)
	push	%rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdx
	push	%rdi

	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	bt	$0, %esi	/* to CF, where neither MOV nor VERW touches it */

	mov	REGS_RAX(%rdi), %rax
	mov	REGS_RBX(%rdi), %rbx
	mov	REGS_RCX(%rdi), %rcx
	mov	REGS_RDX(%rdi), %rdx
	mov	REGS_RSI(%rdi), %rsi
	mov	REGS_RBP(%rdi), %rbp
	mov	REGS_R8(%rdi), %r8
	mov	REGS_R9(%rdi), %r9
	mov	REGS_R10(%rdi), %r10
	mov	REGS_R11(%rdi), %r11
	mov	REGS_R12(%rdi), %r12
	mov	REGS_R13(%rdi), %r13
	mov	REGS_R14(%rdi), %r14
	mov	REGS_R15(%rdi), %r15
	mov	REGS_RDI(%rdi), %rdi
	/* The guest must not sample what the kernel left there. */
#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM
	CLEAR_BUFFERS(X86_FEATURE_CLEAR_CPU_BUF, X86_FEATURE_CLEAR_CPU_BUF_VM)
#else
	CLEAR_BUFFERS(X86_FEATURE_CLEAR_CPU_BUF, X86_FEATURE_CLEAR_CPU_BUF)
#endif
	jc	.Lresume
	vmlaunch
	jmp	vmx_exit_point
.Lresume:
	vmresume
SYM_INNER_LABEL(vmx_exit_point, SYM_L_GLOBAL)
	ENDBR

	/* No flag is changed from here to SETBE. */
	xchg	%rdi, (%rsp)
	mov	%rax, REGS_RAX(%rdi)
	mov	%rbx, REGS_RBX(%rdi)
	mov	%rcx, REGS_RCX(%rdi)
	mov	%rdx, REGS_RDX(%rdi)
	mov	%rsi, REGS_RSI(%rdi)
	mov	%rbp, REGS_RBP(%rdi)
	mov	%r8, REGS_R8(%rdi)
	mov	%r9, REGS_R9(%rdi)
	mov	%r10, REGS_R10(%rdi)
	mov	%r11, REGS_R11(%rdi)
	mov	%r12, REGS_R12(%rdi)
	mov	%r13, REGS_R13(%rdi)
	mov	%r14, REGS_R14(%rdi)
	mov	%r15, REGS_R15(%rdi)
	pop	REGS_RDI(%rdi)
	setbe	%bl

	/* All before the first RET: the guest may have trained the predictors against us. */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
	pop	%rax
	ALTERNATIVE "jmp .Lspec_ctrl_done", "", X86_FEATURE_KERNEL_IBRS
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	xor	%edx, %edx
	wrmsr
.Lspec_ctrl_done:
#ifdef HAVE_CLEAR_BHB_LOOP
	CLEAR_BRANCH_HISTORY_VMEXIT
#else
	ALTERNATIVE "jmp .Lhistory_done", "", X86_FEATURE_CLEAR_BHB_VMEXIT
	mov	$5, %ecx
	call	overwrite_history
	lfence
.Lhistory_done:
#endif

	/* What the guest left in registers must not steer speculation in the kernel. */
	movzbl	%bl, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET
SYM_FUNC_END(vmx_enter)
