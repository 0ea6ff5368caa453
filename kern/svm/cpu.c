// SPDX-License-Identifier: GPL-2.0-only
/*
 * A physical CPU in SVM operation: EFER.SVME, the host save area, and address space identifiers. Or
 * it is in it already, by KVM's doing: then the first two are KVM's, and beside.c sees to the
 * third.
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
	bool leased;
};

static DEFINE_PER_CPU(struct svm_cpu, svm_cpu);

static phys_addr_t page_pa(struct page *page)
{
	return __sme_set(page_to_phys(page));
}

/*
 * Where the kernel has chosen BP_SPEC_REDUCE against SRSO (Zen 5), it leaves it to the hypervisor
 * to switch that on while there are guests; else it does all that is needed by itself.
 *
 * KVM does it too, at times that differ from version to version (for some, an empty lease is none).
 * So on a lease we switch it on as well, and then leave it to KVM to switch it off: it may have
 * guests that count on it.
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

static int enter_svm_operation(const struct svm_cpu *this)
{
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	if (efer & EFER_SVME) {
		pr_info_ratelimited("CPU %d is in SVM operation already: lend us one of KVM's virtual machines (DUNE_LEASE_KVM), or stop them all, or unload kvm_amd\n",
				    smp_processor_id());
		return -EBUSY;
	}
	wrmsrl(MSR_EFER, efer | EFER_SVME);
	wrmsrl(MSR_VM_HSAVE_PA, page_pa(this->save_area));
	return 0;
}

static void leave_svm_operation(void)
{
	u64 efer;

	wrmsrl(MSR_VM_HSAVE_PA, 0);
	rdmsrl(MSR_EFER, efer);
	wrmsrl(MSR_EFER, efer & ~EFER_SVME);
}

/* Runs on the CPU, perhaps with interrupts off. */
int svm_cpu_enable(bool leased)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);
	int ret;

	this->max_asid = cpuid_ebx(0x8000000a) - 1;
	ret = leased ? svm_beside_check(this->max_asid) : enter_svm_operation(this);
	if (ret)
		return ret;
	/* The TLB may hold anything of an earlier user, and a vCPU an ASID from before. */
	this->asid_generation++;
	this->next_asid = this->max_asid + 1;
	reduce_speculation(true);
	this->leased = leased;
	this->enabled = true;
	return 0;
}

void svm_cpu_disable(void)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);

	if (!this->enabled)
		return;
	this->enabled = false;
	if (this->leased)
		return;
	reduce_speculation(false);
	leave_svm_operation();
}

void svm_cpu_teardown(void)
{
	int cpu;

	svm_beside_teardown();
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
	int cpu, ret;

	ret = svm_beside_setup();
	if (ret)
		return ret;
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

/* What VMRUN is asked for, or more where it can't do that. */
u8 svm_flush_this_asid(void)
{
	return boot_cpu_has(X86_FEATURE_FLUSHBYASID) ? TLB_CONTROL_FLUSH_ASID :
						       TLB_CONTROL_FLUSH_ALL_ASID;
}

phys_addr_t svm_cpu_prepare(struct svm_vcpu *svm, bool flush)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);
	struct vmcb_control_area *control = &svm->vmcb->control;
	int cpu = smp_processor_id();

	if (!this->enabled)
		return 0;
	if (this->leased) {
		/* KVM leaves at a reboot, on all CPUs, before we are told. */
		if (!svm_in_operation())
			return 0;
		svm_beside_enter();
		control->asid = this->max_asid;
		control->tlb_ctl = svm_flush_this_asid();
		return page_pa(this->host_vmcb);
	}
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
		control->tlb_ctl = svm_flush_this_asid();
	}
	return page_pa(this->host_vmcb);
}

void svm_cpu_finish(struct vcpu *vcpu)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);

	/* Where that is not to be had, at least no other entry makes it worse. */
	if (this->leased && !svm_beside_leave(vcpu->vm, this->max_asid))
		this->enabled = false;
}

void svm_cpu_forget(struct svm_vcpu *svm)
{
	struct svm_cpu *this = this_cpu_ptr(&svm_cpu);

	svm->cpu = -1;
	this->next_asid = this->max_asid + 1;
}
