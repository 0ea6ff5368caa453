// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's side of a world switch: the fields an exit loads the CPU from, and what it loses all
 * the same (SDM 3C 28.5): the limits of GDT, IDT and TSS, LDTR, selectors other than those of the
 * kernel, DR7 and IA32_DEBUGCTL.
 *
 * All of it is brought back before interrupts are on again. Deferring part of it to the return to
 * user space, as one may for MSRs that only user space can see, needs kernel interfaces this module
 * does without; and most of our exits are system calls, which go there anyway.
 */
#include <linux/mm.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/msr.h>
#include <asm/segment.h>
#include <asm/special_insns.h>

#include "vmx/vmcs.h"
#include "vmx/vmx.h"

/* By the descriptor that is loaded: its base is where the CPU looks for its stacks. */
static u64 tss_base(const struct desc_ptr *gdt)
{
	const struct ldttss_desc *tss = (void *)(gdt->address + GDT_ENTRY_TSS * 8);

	return tss->base0 | tss->base1 << 16 | (u32)tss->base2 << 24 | (u64)tss->base3 << 32;
}

static u64 read_msr(u32 msr)
{
	u64 value;

	rdmsrl(msr, value);
	return value;
}

/* What is the same for every thread on this CPU. */
static void write_cpu_fields(struct vmx_vcpu *vmx)
{
	struct vmx_host_state *host = &vmx->host;

	native_store_gdt(&host->gdt);
	store_idt(&host->idt);
	vmcs_write(HOST_CR0, native_read_cr0());
	vmcs_write(HOST_GDTR_BASE, host->gdt.address);
	vmcs_write(HOST_IDTR_BASE, host->idt.address);
	vmcs_write(HOST_TR_BASE, tss_base(&host->gdt));
	vmcs_write(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);
	vmcs_write(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write(HOST_SS_SELECTOR, __KERNEL_DS);
	/* Those of the thread need not be fit for a VMCS. vmx_host_restore() loads them. */
	vmcs_write(HOST_DS_SELECTOR, 0);
	vmcs_write(HOST_ES_SELECTOR, 0);
	vmcs_write(HOST_FS_SELECTOR, 0);
	vmcs_write(HOST_GS_SELECTOR, 0);
	vmcs_write(HOST_GS_BASE, read_msr(MSR_GS_BASE));
	vmcs_write(HOST_IA32_SYSENTER_CS, read_msr(MSR_IA32_SYSENTER_CS));
	vmcs_write(HOST_IA32_SYSENTER_ESP, read_msr(MSR_IA32_SYSENTER_ESP));
	vmcs_write(HOST_IA32_SYSENTER_EIP, read_msr(MSR_IA32_SYSENTER_EIP));
	vmcs_write(HOST_IA32_EFER, read_msr(MSR_EFER));
	vmcs_write(HOST_IA32_PAT, read_msr(MSR_IA32_CR_PAT));
	vmcs_write(HOST_RIP, (u64)vmx_exit_point);
	vmx->msrs->host[SWITCHED_STAR].value = read_msr(MSR_STAR);
	vmx->msrs->host[SWITCHED_LSTAR].value = read_msr(MSR_LSTAR);
	vmx->msrs->host[SWITCHED_SFMASK].value = read_msr(MSR_SYSCALL_MASK);
	/* Written below, whatever they were on another CPU. */
	host->fs_base = ~0ull;
	host->cr3 = ~0ull;
	host->cr4 = ~0ull;
}

static void write_if_new(unsigned long field, u64 *written, u64 value)
{
	if (*written == value)
		return;
	*written = value;
	vmcs_write(field, value);
}

void vmx_host_save(struct vmx_vcpu *vmx)
{
	struct vmx_host_state *host = &vmx->host;

	if (vmx->host_stale) {
		write_cpu_fields(vmx);
		vmx->host_stale = false;
	}
	savesegment(ds, host->ds);
	savesegment(es, host->es);
	savesegment(fs, host->fs);
	savesegment(gs, host->gs);
	asm volatile("sldt %0" : "=m"(host->ldt));
	write_if_new(HOST_FS_BASE, &host->fs_base, x86_fsbase_read_cpu());
	write_if_new(HOST_CR3, &host->cr3, __native_read_cr3());
	write_if_new(HOST_CR4, &host->cr4, native_read_cr4());
	vmx->msrs->host[SWITCHED_KERNEL_GS_BASE].value = read_msr(MSR_KERNEL_GS_BASE);

	host->debugctl = get_debugctlmsr();
	/*
	 * PEBS writes its records to linear addresses of the host, and would do so in the guest.
	 * Counting goes on: the guest's instructions are the process's own.
	 */
	host->pebs = boot_cpu_has(X86_FEATURE_PEBS) ? read_msr(MSR_IA32_PEBS_ENABLE) : 0;
	if (host->pebs)
		wrmsrl(MSR_IA32_PEBS_ENABLE, 0);
	/* Where the kernel runs with IBRS, it has to be set anew after an exit. */
	host->spec_ctrl = boot_cpu_has(X86_FEATURE_KERNEL_IBRS) ? read_msr(MSR_IA32_SPEC_CTRL) : 0;
}

void vmx_host_restore(struct vmx_vcpu *vmx)
{
	struct vmx_host_state *host = &vmx->host;

	native_load_gdt(&host->gdt);
	native_load_idt(&host->idt);
	invalidate_tss_limit();
	if (unlikely(host->ldt))
		asm volatile("lldt %0" : : "m"(host->ldt));
	if (unlikely(host->ds | host->es)) {
		loadsegment(ds, host->ds);
		loadsegment(es, host->es);
	}
	/* A selector brings a base with it, and the thread may have set another one since. */
	if (unlikely(host->fs)) {
		loadsegment(fs, host->fs);
		x86_fsbase_write_cpu(host->fs_base);
	}
	if (unlikely(host->gs)) {
		native_load_gs_index(host->gs);
		wrmsrl(MSR_KERNEL_GS_BASE, vmx->msrs->host[SWITCHED_KERNEL_GS_BASE].value);
	}

	if (host->pebs)
		wrmsrl(MSR_IA32_PEBS_ENABLE, host->pebs);
	if (host->debugctl)
		update_debugctlmsr(host->debugctl);
}
