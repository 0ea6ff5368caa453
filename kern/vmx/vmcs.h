/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The instructions that manage virtual-machine control structures (SDM 3C 31.3). They report a
 * failure in CF (no VMCS) or ZF (error number in the VMCS). A failure is a bug of ours, and is
 * logged; the CPU stays as it was.
 */
#ifndef DUNE_VMX_VMCS_H
#define DUNE_VMX_VMCS_H

#include <linux/types.h>
#include <asm/page.h>

/* vmcs.c */
void vmcs_write_failed(unsigned long field, u64 value);
void vmcs_switch_failed(const char *instruction, phys_addr_t vmcs);

static inline u64 vmcs_read(unsigned long field)
{
	u64 value = 0;

	asm volatile("vmread %1, %0" : "+rm"(value) : "r"(field) : "cc");
	return value;
}

static inline void vmcs_write(unsigned long field, u64 value)
{
	bool failed;

	asm volatile("vmwrite %2, %1" : "=@ccbe"(failed) : "r"(field), "rm"(value));
	if (unlikely(failed))
		vmcs_write_failed(field, value);
}

/* Puts all of the VMCS into memory and ends its being active, launched and current. */
static inline void vmcs_clear(const void *vmcs)
{
	phys_addr_t pa = __pa(vmcs);
	bool failed;

	asm volatile("vmclear %1" : "=@ccbe"(failed) : "m"(pa) : "memory");
	if (unlikely(failed))
		vmcs_switch_failed("VMCLEAR", pa);
}

static inline void vmcs_make_current(phys_addr_t pa)
{
	bool failed;

	asm volatile("vmptrld %1" : "=@ccbe"(failed) : "m"(pa) : "memory");
	if (unlikely(failed))
		vmcs_switch_failed("VMPTRLD", pa);
}

#define NO_VMCS (~0ull)

static inline u64 vmcs_current(void)
{
	u64 pa = NO_VMCS;

	asm volatile("vmptrst %0" : "=m"(pa) : : "cc");
	return pa;
}

#endif /* DUNE_VMX_VMCS_H */
