/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Speculation barriers of a world switch, for enter.S: each is there when the kernel has chosen it
 * (docs/security.md), and none needs a symbol that the newest kernels keep to KVM. So these stand
 * in for VM_CLEAR_CPU_BUFFERS, UNTRAIN_RET_VM and CLEAR_BRANCH_HISTORY_VMEXIT.
 */
#ifndef DUNE_BARRIERS_H
#define DUNE_BARRIERS_H

#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/segment.h>

/*
 * VERW clears buffers only if its operand is in memory; any selector will do. Changes ZF alone.
 * By two features, for newer kernels ask by another one before VT-x's entry than older ones.
 */
#define CLEAR_BUFFERS(feature, other)					\
	ALTERNATIVE_2 "jmp .Lbuffers_done", "", feature, "", other;	\
	verw	.Lverw_selector(%rip);					\
.Lbuffers_done:

	.pushsection .rodata, "a"
	.balign 2
.Lverw_selector:
	.word	__KERNEL_DS
	.popsection

/* Before the first RET after an exit. Clobbers RAX, RCX, RDX. */
.macro UNTRAIN_RETURNS
	CALL_UNTRAIN_RET
	ALTERNATIVE_2 "jmp .Luntrained\@", "", X86_FEATURE_ENTRY_IBPB, \
		      "", X86_FEATURE_IBPB_ON_VMEXIT
	mov	$MSR_IA32_PRED_CMD, %ecx
	mov	$PRED_CMD_IBPB, %eax
	xor	%edx, %edx
	wrmsr
#ifdef X86_BUG_IBPB_NO_RET
	FILL_RETURN_BUFFER %rax, RSB_CLEAR_LOOPS, X86_BUG_IBPB_NO_RET
#endif
.Luntrained\@:
.endm

#endif /* DUNE_BARRIERS_H */
