// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPT: the format of its entries, and when translations that a CPU has cached are dropped.
 *
 * There are two kinds to drop (SDM 3C 29.4). Guest-physical mappings, and the combined ones from
 * guest-linear to host-physical, carry the EPT root: when an entry of the table goes, each CPU must
 * INVEPT that root. Combined mappings also carry the VPID: a vCPU that comes to a CPU where it was
 * before may find its own from then, which the guest has since changed and, with INVLPG or a load
 * of CR3, dropped where it was. So it must INVVPID there.
 *
 * A vCPU that stays where it is keeps its VPID and does neither.
 */
#include <linux/idr.h>
#include <linux/smp.h>
#include <asm/page.h>

#include "vmx/vmcs.h"
#include "vmx/vmx.h"

/*
 * Always write-back, whatever the guest's PAT says (IPAT): the process maps the same pages, and two
 * memory types for one page are no good.
 */
#define LEAF_MEMORY_TYPE ((6ull << VMX_EPT_MT_EPTE_SHIFT) | VMX_EPT_IPAT_BIT)

#define EPTP_LEVELS_4 VMX_EPTP_PWL_4

static struct tdp_format ept_format __ro_after_init = {
	.levels = 4,
	.max_leaf_level = 1,
	.present = VMX_EPT_RWX_MASK,
	.table = VMX_EPT_RWX_MASK,
	.leaf = VMX_EPT_READABLE_MASK | LEAF_MEMORY_TYPE,
	.huge = BIT_ULL(7),
	.write = VMX_EPT_WRITABLE_MASK,
	.exec = VMX_EPT_EXECUTABLE_MASK,
};

static DEFINE_IDA(vpids);

void vmx_ept_setup(void)
{
	const struct vmx_capabilities *caps = vmx_capabilities();

	/*
	 * A CPU that keeps no accessed and dirty flags in EPT ignores the bits (SDM 3C 29.3.5), and
	 * nobody could tell them from flags that were never set.
	 */
	if (caps->ept_accessed_dirty) {
		ept_format.accessed = VMX_EPT_ACCESS_BIT;
		ept_format.dirty = VMX_EPT_DIRTY_BIT;
	}
	/*
	 * With this erratum, a guest that changes the size of a page while it executes from it
	 * stops the machine. Small leaves are the way out that needs no code.
	 */
	if (boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT))
		return;
	if (caps->ept_2m)
		ept_format.max_leaf_level = 2;
	if (caps->ept_2m && caps->ept_1g)
		ept_format.max_leaf_level = 3;
}

const struct tdp_format *vmx_tdp_format(void)
{
	return &ept_format;
}

u64 vmx_eptp(u64 *root)
{
	u64 eptp = __pa(root) | VMX_EPTP_MT_WB | EPTP_LEVELS_4;

	if (vmx_capabilities()->ept_accessed_dirty)
		eptp |= VMX_EPTP_AD_ENABLE_BIT;
	return eptp;
}

/*
 * 0 is the host's. KVM gives its own out from 1, we from the top. (Should they ever meet, the EPT
 * roots still tell the mappings apart.)
 */
int vmx_vpid_alloc(void)
{
	int below_top = ida_alloc_max(&vpids, VMX_NR_VPIDS - 2, GFP_KERNEL);

	return below_top < 0 ? below_top : VMX_NR_VPIDS - 1 - below_top;
}

void vmx_vpid_free(u16 vpid)
{
	ida_free(&vpids, VMX_NR_VPIDS - 1 - vpid);
}

static void invept(unsigned long type, u64 eptp)
{
	struct { u64 eptp, reserved; } descriptor = { eptp, 0 };
	bool failed;

	asm volatile("invept %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(type) : "memory");
	if (unlikely(failed))
		vmcs_switch_failed("INVEPT", eptp);
}

static void invvpid(unsigned long type, u16 vpid)
{
	struct { u64 vpid, address; } descriptor = { vpid, 0 };
	bool failed;

	asm volatile("invvpid %1, %2" : "=@ccbe"(failed) : "m"(descriptor), "r"(type) : "memory");
	if (unlikely(failed))
		vmcs_switch_failed("INVVPID", vpid);
}

/* At the start of VMX operation: what is tagged like ours may be of any earlier user. */
void vmx_flush_everything(void)
{
	invept(VMX_EPT_EXTENT_GLOBAL, 0);
	invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
}

/*
 * Interrupts off, right before an entry. A vCPU new to this CPU also needs INVEPT: @flush is about
 * what changed since *its* last entry, and that was made, and flushed for, on another CPU.
 */
void vmx_flush_vcpu(struct vmx_vcpu *vmx, bool flush)
{
	int cpu = smp_processor_id();

	if (vmx->tlb_cpu != cpu) {
		invvpid(VMX_VPID_EXTENT_SINGLE_CONTEXT, vmx->vpid);
		vmx->tlb_cpu = cpu;
		flush = true;
	}
	if (flush)
		invept(VMX_EPT_EXTENT_CONTEXT, vmx->eptp);
}
