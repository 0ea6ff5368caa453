// SPDX-License-Identifier: GPL-2.0-only
/*
 * A physical CPU in SVM operation: EFER.SVME, the host save area, and address space identifiers.
 *
 * ASIDs tag TLB entries. Each CPU hands out its own, in rising order; when they run out it starts
 * a new generation, whose first entry flushes the whole TLB. A vCPU keeps its ASID as long as it
 * stays on the CPU and the generation lasts, so a world switch costs no flush (APM 2 15.16).
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/io.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <asm/msr.h>

#include "svm/svm.h"

struct svm_cpu {
	struct page *save_area;		/* VMRUN keeps the host's state here */
	struct page *host_vmcb;		/* and VMSAVE the part that VMRUN leaves out */
	u64 asid_generation;
	u32 next_asid;
	u32 max_asid;
	bool enabled;
};

static DEFINE_PER_CPU(struct svm_cpu, svm_cpu);

static phys_addr_t page_pa(struct page *page)
{
	return __sme_set(page_to_phys(page));
}

/*
 * Where the kernel has chosen BP_SPEC_REDUCE against SRSO (Zen 5), it leaves it to the hypervisor
 * to switch that on while there are guests; else it does all that is needed by itself.
 */
static void reduce_speculation(bool on)
{
#ifdef X86_FEATURE_SRSO_BP_SPEC_REDUCE
	u64 config;

	if (!boot_cpu_has(X86_FEATURE_SRSO_BP_SPEC_REDUCE))
		return;
	rdmsrl(MSR_ZEN4_BP_CFG, config);
	config &= ~BIT_ULL(MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);
	if (on)
		config |= BIT_ULL(MSR_ZEN4_BP_CFG_BP_SPEC_REDUCE_BIT);
	wrmsrl(MSR_ZEN4_BP_CFG, config);
#endif
}

/* Runs on the CPU, perhaps with interrupts off. */
int svm_cpu_enable(bool leased)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME) {
		/*
		 * Its ASIDs would collide with ours in this CPU's TLB, and whoever leaves first
		 * would switch SVM off under the other.
		 */
		pr_err_ratelimited("CPU %d is in SVM operation already: stop the virtual machines of KVM or unload kvm_amd\n",
				   smp_processor_id());
		return -EBUSY;
	}
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, page_pa(this->save_area));
	this->max_asid = cpuid_ebx(0x8000000a) - 1;
	/* The TLB may hold anything of an earlier user, and a vCPU an ASID from before. */
	this->asid_generation++;
	this->next_asid = this->max_asid + 1;
	reduce_speculation(true);
	this->enabled = true;
	return 0;
}

void svm_cpu_disable(void)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);
	u64 efer;

	if (!this->enabled)
		return;
	this->enabled = false;
	reduce_speculation(false);
	wrmsrl(MSR_VM_HSAVE_PA, 0);
	rdmsrl(MSR_EFER, efer);
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}

void svm_cpu_teardown(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *this = per_cpu_ptr(&svm_cpu, cpu);

		if (this->save_area)
			__free_page(this->save_area);
		if (this->host_vmcb)
			__free_page(this->host_vmcb);
		this->save_area = NULL;
		this->host_vmcb = NULL;
	}
}

int svm_cpu_setup(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct svm_cpu *this = per_cpu_ptr(&svm_cpu, cpu);

		this->save_area = alloc_page(GFP_KERNEL | __GFP_ZERO);
		this->host_vmcb = alloc_page(GFP_KERNEL | __GFP_ZERO);
		if (!this->save_area || !this->host_vmcb) {
			svm_cpu_teardown();
			return -ENOMEM;
		}
	}
	return 0;
}

phys_addr_t svm_cpu_prepare(struct svm_vcpu *svm, bool flush)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);
	struct vmcb_control_area *control = &svm->vmcb->control;
	int cpu = smp_processor_id();

	if (!this->enabled)
		return 0;
	control->tlb_ctl = TLB_CONTROL_DO_NOTHING;
	if (svm->cpu != cpu || svm->asid_generation != this->asid_generation) {
		if (this->next_asid > this->max_asid) {
			this->asid_generation++;
			this->next_asid = 1;	/* 0 is the host's */
			control->tlb_ctl = TLB_CONTROL_FLUSH_ALL_ASID;
		}
		control->asid = this->next_asid++;
		svm->cpu = cpu;
		svm->asid_generation = this->asid_generation;
	} else if (flush) {
		control->tlb_ctl = boot_cpu_has(X86_FEATURE_FLUSHBYASID) ?
				   TLB_CONTROL_FLUSH_ASID : TLB_CONTROL_FLUSH_ALL_ASID;
	}
	return page_pa(this->host_vmcb);
}

void svm_cpu_forget(struct svm_vcpu *svm)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);

	svm->cpu = -1;
	this->next_asid = this->max_asid + 1;
}
