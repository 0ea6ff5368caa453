/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * svm_enter(regs: %rdi, guest VMCB: %rsi, host VMCB: %rdx), VMCBs by physical address.
 *
 * VMRUN switches RAX, RSP, RIP, RFLAGS, the control registers and the ES, CS, SS and DS segments;
 * VMLOAD and VMSAVE the rest a kernel lives by (FS, GS, TR, LDTR, the SYSCALL and SYSENTER MSRs).
 * The other general registers are ours to switch (APM 2 15.5). FPU registers stay: see vcpu.c.
 *
 * With GIF clear nothing can interrupt us between worlds, not even an NMI, which would find the
 * guest's GS base. Interrupts are then enabled only so that RFLAGS.IF is set at VMRUN: with
 * V_INTR_MASKING that is what lets a host interrupt end guest mode (APM 2 15.21.1).
 */
#include "barriers.h"

/* struct dune_regs; svm.c asserts them. */
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

.text
SYM_FUNC_START(svm_enter)
	push	%rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdx
	push	%rdi

	clgi
	mov	%rdx, %rax
	vmsave	%rax
	mov	%rsi, %rax

#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM	/* the guest must not sample what the kernel left there */
	CLEAR_BUFFERS(X86_FEATURE_CLEAR_CPU_BUF_VM, X86_FEATURE_CLEAR_CPU_BUF_VM)
#endif
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

	sti
	vmload	%rax
	vmrun	%rax
	vmsave	%rax
	mov	8(%rsp), %rax
	vmload	%rax
	cli

	/*
	 * Before the first RET: the guest may have trained the return predictor against us. After
	 * VMLOAD: these macros may count calls in per-CPU memory, so they need the host's GS.
	 */
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT

	xchg	%rdi, (%rsp)
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

	UNTRAIN_RETURNS	/* RAX, RCX and RDX are free by now */
	pop	%rax	/* the host VMCB again */
	stgi

	/* What the guest left in registers must not steer speculation in the kernel. */
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
SYM_FUNC_END(svm_enter)
