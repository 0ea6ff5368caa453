// SPDX-License-Identifier: GPL-2.0-only
/* What is said when an instruction of vmcs.h fails. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/printk.h>
#include <asm/vmx.h>

#include "vmx/vmcs.h"

void vmcs_write_failed(unsigned long field, u64 value)
{
	pr_err_ratelimited("VMWRITE of 0x%llx to field 0x%lx failed, error %llu\n", value, field,
			   vmcs_read(VM_INSTRUCTION_ERROR));
}

void vmcs_switch_failed(const char *instruction, phys_addr_t vmcs)
{
	pr_err_ratelimited("%s of %pa failed, error %llu\n", instruction, &vmcs,
			   vmcs_read(VM_INSTRUCTION_ERROR));
}
