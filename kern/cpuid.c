// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the guest has of the CPU's features: what CR4 lets it use, and what CPUID says of that. This
 * is what the CPU says, less what a guest of ours does not have. Leaves the thread read before it
 * entered must stay true, or its library's choice of memcpy() fails.
 */
#include <asm/processor.h>

#include "hypervisor.h"

/* CR4 bits a guest may own: those that only change what its own instructions do. */
u64 guest_cr4_allowed(void)
{
	u64 cr4 = X86_CR4_PAE | X86_CR4_PGE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT;

	if (boot_cpu_has(X86_FEATURE_OSXSAVE))
		cr4 |= X86_CR4_OSXSAVE;
	if (boot_cpu_has(X86_FEATURE_FSGSBASE))
		cr4 |= X86_CR4_FSGSBASE;
	return cr4;
}

/* @cr4: as the guest sees it. */
void guest_cpuid(struct dune_regs *regs, u64 cr4)
{
	u32 leaf = regs->rax, subleaf = regs->rcx;
	u32 eax = leaf, ebx, ecx = subleaf, edx;

	native_cpuid(&eax, &ebx, &ecx, &edx);
	if (leaf == 1) {
		/* The guest's own CR4, and nothing that ends in #UD here. */
		ecx &= ~(BIT(27) | BIT(6) | BIT(5) | BIT(3));	/* OSXSAVE, SMX, VMX, MONITOR */
		if (cr4 & X86_CR4_OSXSAVE)
			ecx |= BIT(27);
	} else if (leaf == 7 && subleaf == 0) {
		ebx &= ~BIT(2);				/* SGX */
		ecx &= ~BIT(4);				/* OSPKE: not in the guest's CR4 */
	} else if (leaf == 0x80000001) {
		ecx &= ~BIT(2);				/* SVM */
	}
	regs->rax = eax;
	regs->rbx = ebx;
	regs->rcx = ecx;
	regs->rdx = edx;
}
