// SPDX-License-Identifier: GPL-2.0-only
/*
 * AMD SVM behind struct vendor_ops: what a CPU must have, what a guest may touch without leaving
 * guest mode (the intercepts and the two permission maps), and a vCPU's state in its VMCB.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <asm/debugreg.h>
#include <asm/msr.h>

#include "statistics.h"
#include "svm/svm.h"

#define IOPM_ORDER  2	/* 12 KiB, of which the last page needs 3 bits (APM 2 15.10.1) */
#define MSRPM_ORDER 1	/* 8 KiB, two bits for each MSR (APM 2 15.11) */

#define VMCB_ATTRIB_CODE 0x029b	/* G=0, L, P, S, type: execute/read, accessed */
#define VMCB_ATTRIB_DATA 0x0c93	/* G, D/B, P, S, type: read/write, accessed */
#define VMCB_ATTRIB_TSS	 0x008b	/* P, type: busy 64-bit TSS */

#define DR7_RESET 0x400
#define GUEST_CR0 (X86_CR0_PE | X86_CR0_MP | X86_CR0_ET | X86_CR0_NE | X86_CR0_WP | X86_CR0_PG)
#define GUEST_EFER (EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)

static struct page *iopm;
static struct page *msrpm;

/*
 * The walker takes every access as a user access, so US is set throughout (APM 2 15.25.5). NX is
 * valid because the host has EFER.NXE at VMRUN: Linux sets it wherever the CPU has it.
 */
static struct tdp_format svm_format __ro_after_init = {
	.max_leaf_level = 2,
	.present = _PAGE_PRESENT,
	.table = _PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED,
	.leaf = _PAGE_PRESENT | _PAGE_USER,
	.huge = _PAGE_PSE,
	.write = _PAGE_RW,
	.no_exec = _PAGE_NX,
	.accessed = _PAGE_ACCESSED,
	.dirty = _PAGE_DIRTY,
};

static int check_cpu(void)
{
	u64 vm_cr;

	if (!boot_cpu_has(X86_FEATURE_SVM)) {
		pr_err("this CPU has no AMD-V (SVM): enable it in the firmware or, in a virtual machine, start it with -cpu host or -cpu EPYC,+svm,+npt\n");
		return -EOPNOTSUPP;
	}
	rdmsrl(MSR_VM_CR, vm_cr);
	if (vm_cr & SVM_VM_CR_SVM_DIS_MASK) {
		pr_err("AMD-V (SVM) is switched off by the firmware: enable it in the BIOS set-up\n");
		return -EOPNOTSUPP;
	}
	if (!boot_cpu_has(X86_FEATURE_NPT)) {
		pr_err("this CPU has AMD-V (SVM) but no nested paging (NPT): in a virtual machine, start it with -cpu EPYC,+svm,+npt\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static void msrpm_allow(u32 msr)
{
	static const u32 bases[] = { 0, 0xc0000000, 0xc0010000 };
	u8 *map = page_address(msrpm);
	int i;

	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		u32 index = msr - bases[i];

		if (index < 0x2000)
			map[i * 0x800 + index / 4] &= ~(3 << (index % 4 * 2));
	}
}

/*
 * The MSRs that VMLOAD and VMSAVE switch and that a guest kernel writes often. Every other one
 * exits, and exits become #GP.
 */
static void msrpm_fill(void)
{
	memset(page_address(msrpm), 0xff, PAGE_SIZE << MSRPM_ORDER);
	msrpm_allow(MSR_FS_BASE);
	msrpm_allow(MSR_GS_BASE);
	msrpm_allow(MSR_KERNEL_GS_BASE);
	msrpm_allow(MSR_STAR);
	msrpm_allow(MSR_LSTAR);
	msrpm_allow(MSR_CSTAR);
	msrpm_allow(MSR_SYSCALL_MASK);
}

static void svm_teardown(void)
{
	svm_cpu_teardown();
	if (msrpm)
		__free_pages(msrpm, MSRPM_ORDER);
	if (iopm)
		__free_pages(iopm, IOPM_ORDER);
	msrpm = NULL;
	iopm = NULL;
}

static int svm_setup(void)
{
	int ret;

	ret = check_cpu();
	if (ret)
		return ret;
	/* Nested paging runs in the paging mode of the host at VMRUN (APM 2 15.25.3). */
	svm_format.levels = boot_cpu_has(X86_FEATURE_LA57) ? 5 : 4;
	if (boot_cpu_has(X86_FEATURE_GBPAGES))
		svm_format.max_leaf_level = 3;
	if (!boot_cpu_has(X86_FEATURE_NX))
		svm_format.no_exec = 0;
	iopm = alloc_pages(GFP_KERNEL, IOPM_ORDER);
	msrpm = alloc_pages(GFP_KERNEL, MSRPM_ORDER);
	if (!iopm || !msrpm) {
		ret = -ENOMEM;
		goto teardown;
	}
	memset(page_address(iopm), 0xff, PAGE_SIZE << IOPM_ORDER);
	msrpm_fill();
	ret = svm_cpu_setup();
	if (ret)
		goto teardown;
	return 0;

teardown:
	svm_teardown();
	return ret;
}

static const struct tdp_format *svm_tdp_format(void)
{
	return &svm_format;
}

static void intercept(struct vmcb *vmcb, unsigned int bit)
{
	__set_bit(bit, (unsigned long *)vmcb->control.intercepts);
}

static void set_intercepts(struct vmcb *vmcb)
{
	static const u8 always[] = {
		/* the host's own events */
		INTERCEPT_INTR, INTERCEPT_NMI, INTERCEPT_SMI, INTERCEPT_INIT, INTERCEPT_SHUTDOWN,
		INTERCEPT_EXCEPTION_OFFSET + MC_VECTOR,
		/* can loop inside the CPU without ever taking an interrupt (CVE-2015-8104) */
		INTERCEPT_EXCEPTION_OFFSET + DB_VECTOR, INTERCEPT_EXCEPTION_OFFSET + AC_VECTOR,
		/* what the process or we answer */
		INTERCEPT_CPUID, INTERCEPT_HLT, INTERCEPT_IOIO_PROT, INTERCEPT_MSR_PROT,
		/* state that is not switched, or not the guest's to change */
		INTERCEPT_CR0_WRITE, INTERCEPT_CR4_WRITE, INTERCEPT_CR8_READ, INTERCEPT_CR8_WRITE,
		INTERCEPT_RDPMC, INTERCEPT_RSM, INTERCEPT_INVD, INTERCEPT_WBINVD,
		INTERCEPT_MONITOR, INTERCEPT_MWAIT, INTERCEPT_XSETBV, INTERCEPT_RDPRU,
		INTERCEPT_TASK_SWITCH, INTERCEPT_FERR_FREEZE,
		/* SVM's own instructions: EFER.SVME is set in the guest, as it must be */
		INTERCEPT_VMRUN, INTERCEPT_VMMCALL, INTERCEPT_VMLOAD, INTERCEPT_VMSAVE,
		INTERCEPT_STGI, INTERCEPT_CLGI, INTERCEPT_SKINIT, INTERCEPT_INVLPGA,
		INTERCEPT_INVLPGB, INTERCEPT_INVLPGB_ILLEGAL, INTERCEPT_TLBSYNC,
	};
	unsigned int bit;
	int i;

	for (i = 0; i < ARRAY_SIZE(always); i++)
		intercept(vmcb, always[i]);
	for (bit = INTERCEPT_DR0_READ; bit <= INTERCEPT_DR7_WRITE; bit++)
		intercept(vmcb, bit);
}

/* From now on the guest's debug registers are loaded while it runs: see debug.c. */
void svm_allow_debug_registers(struct vmcb *vmcb)
{
	unsigned int bit;

	for (bit = INTERCEPT_DR0_READ; bit <= INTERCEPT_DR7_WRITE; bit++)
		__clear_bit(bit, (unsigned long *)vmcb->control.intercepts);
}

/*
 * The CPU shuts down at a machine check under CR4.MCE = 0, in guest mode too. That would end in the
 * guest's exit for a triple fault, and the host would never hear of its broken hardware. So the bit
 * is the host's; a guest sees it in CR4 and has no say (APM 2 9.3, 15.14).
 */
static u64 host_cr4(void)
{
	return native_read_cr4() & X86_CR4_MCE;
}

static struct vmcb_seg flat_segment(u16 selector, u16 attrib)
{
	return (struct vmcb_seg){ .selector = selector, .attrib = attrib, .limit = ~0u };
}

static void reset_state(struct vmcb *vmcb)
{
	struct vmcb_save_area *save = &vmcb->save;

	save->es = flat_segment(0, VMCB_ATTRIB_DATA);
	save->ds = flat_segment(0, VMCB_ATTRIB_DATA);
	save->fs = flat_segment(0, VMCB_ATTRIB_DATA);
	save->gs = flat_segment(0, VMCB_ATTRIB_DATA);
	save->ss = flat_segment(0, VMCB_ATTRIB_DATA);
	save->cs = flat_segment(0, VMCB_ATTRIB_CODE);
	save->tr = flat_segment(0, VMCB_ATTRIB_TSS);
	save->tr.limit = 0xffff;	/* what DUNE_SET_STATE takes back */
	save->cr0 = GUEST_CR0;
	save->cr4 = guest_cr4_allowed() | host_cr4();
	save->efer = GUEST_EFER | EFER_SVME;
	save->g_pat = 0x0007040600070406ULL;	/* the value at reset: index 0 is write-back */
	save->dr6 = DR6_RESERVED;
	save->dr7 = DR7_RESET;
	save->rflags = X86_EFLAGS_FIXED;
}

void svm_vmcb_init(struct vmcb *vmcb, const u64 *tdp_root)
{
	set_intercepts(vmcb);
	vmcb->control.iopm_base_pa = __sme_set(page_to_phys(iopm));
	vmcb->control.msrpm_base_pa = __sme_set(page_to_phys(msrpm));
	vmcb->control.int_ctl = V_INTR_MASKING_MASK;
	vmcb->control.nested_ctl = SVM_NESTED_CTL_NP_ENABLE;
	vmcb->control.nested_cr3 = __sme_set(__pa(tdp_root));
	reset_state(vmcb);
}

static int svm_vcpu_create(struct vcpu *vcpu)
{
	struct svm_vcpu *svm;
	struct vmcb *vmcb;

	svm = kzalloc(sizeof(*svm), GFP_KERNEL_ACCOUNT);
	if (!svm)
		return -ENOMEM;
	vmcb = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmcb) {
		kfree(svm);
		return -ENOMEM;
	}
	svm->vmcb = vmcb;
	svm->cpu = -1;
	svm_vmcb_init(vmcb, vcpu->vm->tdp_root);
	vcpu->vendor = svm;
	return 0;
}

static void svm_vcpu_destroy(struct vcpu *vcpu)
{
	struct svm_vcpu *svm = vcpu->vendor;

	free_page((unsigned long)svm->vmcb);
	kfree(svm);
}

static void svm_get_state(struct vcpu *vcpu, struct dune_state *state)
{
	const struct vmcb_save_area *save = &((struct svm_vcpu *)vcpu->vendor)->vmcb->save;

	*state = (struct dune_state){
		.cr0 = save->cr0,
		.cr3 = save->cr3,
		.cr4 = save->cr4 & ~X86_CR4_MCE,
		.efer = save->efer & ~EFER_SVME,
		.fs_base = save->fs.base,
		.gs_base = save->gs.base,
		.kernel_gs_base = save->kernel_gs_base,
		.star = save->star,
		.lstar = save->lstar,
		.sfmask = save->sfmask,
		.gdt_base = save->gdtr.base,
		.gdt_limit = save->gdtr.limit,
		.idt_base = save->idtr.base,
		.idt_limit = save->idtr.limit,
		.tss_base = save->tr.base,
		.tss_limit = save->tr.limit,
		.cs = save->cs.selector,
		.ss = save->ss.selector,
		.tss_selector = save->tr.selector,
	};
}

static int svm_set_state(struct vcpu *vcpu, const struct dune_state *state)
{
	struct vmcb_save_area *save = &((struct svm_vcpu *)vcpu->vendor)->vmcb->save;

	if (state->cr0 != GUEST_CR0 && state->cr0 != (GUEST_CR0 & ~X86_CR0_WP))
		return -EINVAL;
	if (state->efer != GUEST_EFER || !(state->cr4 & X86_CR4_PAE) ||
	    (state->cr4 & ~guest_cr4_allowed()))
		return -EINVAL;
	if (state->cr3 >> boot_cpu_data.x86_phys_bits)
		return -EINVAL;

	save->cr0 = state->cr0;
	save->cr3 = state->cr3;
	save->cr4 = state->cr4 | host_cr4();
	save->fs.base = state->fs_base;
	save->gs.base = state->gs_base;
	save->kernel_gs_base = state->kernel_gs_base;
	save->star = state->star;
	save->lstar = state->lstar;
	save->sfmask = state->sfmask;
	save->gdtr.base = state->gdt_base;
	save->gdtr.limit = state->gdt_limit;
	save->idtr.base = state->idt_base;
	save->idtr.limit = state->idt_limit;
	save->tr.base = state->tss_base;
	save->tr.limit = state->tss_limit;
	save->cs.selector = state->cs;
	save->ss.selector = state->ss;
	save->tr.selector = state->tss_selector;
	return 0;
}

/* enter.S knows these offsets. */
static_assert(offsetof(struct dune_regs, rbx) == 8);
static_assert(offsetof(struct dune_regs, rdi) == 40);
static_assert(offsetof(struct dune_regs, rbp) == 56);
static_assert(offsetof(struct dune_regs, r8) == 64);
static_assert(offsetof(struct dune_regs, r15) == 120);

/* Zen 1 shows the quotient of an earlier division to a later one that faults (CVE-2023-20588). */
static void clear_divider(void)
{
	u32 low = 0, high = 0;

	if (boot_cpu_has_bug(X86_BUG_DIV0))
		asm volatile("divl %2" : "+a"(low), "+d"(high) : "r"(1));
}

/* The intercept took it from the host's handler, which must run on this CPU. */
void svm_forward_machine_check(void)
{
	asm volatile("int $18");
}

static bool svm_vcpu_enter(struct vcpu *vcpu, bool flush)
{
	struct svm_vcpu *svm = vcpu->vendor;
	struct dune_regs *regs = &vcpu->run->regs;
	struct vmcb_save_area *save = &svm->vmcb->save;
	struct vmcb_control_area *control = &svm->vmcb->control;
	phys_addr_t host_vmcb = svm_cpu_prepare(svm, flush);

	if (!host_vmcb)
		return false;
	save->rax = regs->rax;
	save->rsp = regs->rsp;
	save->rip = regs->rip;
	save->rflags = (regs->rflags & ~X86_EFLAGS_VM) | X86_EFLAGS_FIXED;
	clear_divider();
	svm_enter(regs, __sme_set(__pa(svm->vmcb)), host_vmcb);
	svm_cpu_finish(vcpu);
	regs->rax = save->rax;
	regs->rsp = save->rsp;
	regs->rip = save->rip;
	regs->rflags = save->rflags;
	note_exit(vcpu, svm_exit_code(control), control->exit_info_1, control->exit_info_2);

	if (svm_exit_code(control) == (u32)SVM_EXIT_ERR) {
		svm_cpu_forget(svm);
		control->event_inj = 0;
	} else if (svm_exit_code(control) == SVM_EXIT_EXCP_BASE + MC_VECTOR) {
		svm_forward_machine_check();
	}
	return true;
}

const struct vendor_ops svm_ops = {
	.id = DUNE_VENDOR_SVM,
	.name = "AMD SVM with nested paging",
	.kvm_module = "kvm_amd",
	.setup = svm_setup,
	.teardown = svm_teardown,
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.tdp_format = svm_tdp_format,
	.vcpu_create = svm_vcpu_create,
	.vcpu_destroy = svm_vcpu_destroy,
	.get_state = svm_get_state,
	.set_state = svm_set_state,
	.inject = svm_inject,
	.inject_interrupt = svm_inject_interrupt,
	.interrupt_window = svm_interrupt_window,
	.enter = svm_vcpu_enter,
	.handle_exit = svm_handle_exit,
};
