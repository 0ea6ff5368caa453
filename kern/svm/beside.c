// SPDX-License-Identifier: GPL-2.0-only
/*
 * Beside KVM, in the SVM operation that it has entered (see lease.c): how one of our entries comes
 * and goes so that neither guest finds anything of the other's in the CPU. All of it happens with
 * interrupts off, from before VMRUN until nothing of ours is left, so KVM's threads, and this
 * thread as a caller of KVM_RUN, run before that or after it, never within.
 *
 * **ASIDs.** KVM hands out those of a CPU in rising order, flushes when they run out, and knows of
 * no other user. So whatever ASID we take, a vCPU of KVM's may have entries under it in this TLB,
 * and may use it next without a flush. Hence two flushes for each entry: VMRUN's own, which it
 * makes before the first guest instruction (APM 2 15.16.1), takes KVM's entries away, and another
 * one behind the exit takes ours. Together they need no assumption about how KVM chooses. We take
 * the highest ASID, so that KVM seldom loses its entries; that is speed only.
 *
 * The host has no instruction that drops all entries of a guest's ASID on this CPU: INVLPGA drops
 * one page, what MOV CR3 and MOV CR4 flush is ASID 0, and INVLPGB, where there is one, asks all
 * CPUs. So the flush behind the exit is a second VMRUN, of a guest that has no memory: its nested
 * page table is empty, so its first fetch is a nested page fault. It executes nothing, and as only
 * what is present gets cached, leaves nothing behind. What that costs is one more world switch for
 * each exit, and a guest that always begins with an empty TLB. Flushing only when the thread is
 * switched out or goes to user space would take a preempt notifier, and save little: most exits are
 * system calls, which go to user space. To make KVM flush at its own next entry is not in our
 * hands.
 *
 * **The host save area** is KVM's page, by VM_HSAVE_PA. VMRUN fills its part of it and #VMEXIT
 * reads it back, and both are over when we return. KVM keeps more there: by VMSAVE, or for SEV-ES,
 * state of the host from a vCPU's load to its put, which brackets a switch of threads; as we run in
 * a thread of our own there is no such vCPU on this CPU, or it is put by now. And what it keeps for
 * longer has to outlive the VMRUNs of KVM's own guests, from which ours does not differ. The part
 * that we VMSAVE goes to a page of our own.
 *
 * **What KVM leaves in the CPU** when a vCPU is put:
 *	TSC_RATIO	the guest's: the default for ours, and put back, for KVM keeps a note of it
 *	TSC_AUX		the guest's, until this thread goes to user space: vcpu.c makes it go first
 *	SYSCALL MSRs	the host's: KVM does VMLOAD of them right behind its VMRUN
 *	SPEC_CTRL	the host's, likewise, and so are virtual SSBD (LS_CFG), XCR0, XSS and PKRU
 *	LBRs, DEBUGCTL	the host's: switched by VMRUN and #VMEXIT where KVM lets a guest have them
 *	DR0-3		anything, as after any exit: debug.c does not rely on them
 *	BP_CFG		see reduce_speculation() in cpu.c
 * And AVIC: a doorbell that comes for a vCPU of KVM's while our guest is here is ignored, for ours
 * has no AVIC (APM 2 15.29); KVM looks at the pending interrupts when it enters that vCPU.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/percpu.h>
#include <asm/debugreg.h>
#include <asm/msr.h>

#include "statistics.h"
#include "svm/svm.h"

struct beside {
	struct vmcb *flusher;		/* a guest without memory */
	u64 kvm_tsc_ratio;
};

static DEFINE_PER_CPU(struct beside, beside);

static u64 *no_memory;			/* the root of an empty nested page table */

bool svm_in_operation(void)
{
	u64 efer;

	rdmsrl(MSR_EFER, efer);
	return efer & EFER_SVME;
}

/*
 * Interrupts off. Drops all entries under that ASID, or more. VMRUN has been refused when it
 * returns false, and has not flushed then (APM 2 15.5.1). DR7 is lost, as by any exit.
 *
 * Nothing but what VMRUN and #VMEXIT switch themselves can change, so there are no VMLOAD and
 * VMSAVE, and no predictor learns anything. An exit clears GIF.
 */
static bool flush_asid(struct vmcb *vmcb, u32 asid)
{
	struct vmcb_control_area *control = &vmcb->control;

	control->asid = asid;
	control->tlb_ctl = svm_flush_this_asid();
	asm volatile("vmrun %%rax\n\t"
		     "stgi" : : "a"(__sme_set(__pa(vmcb))) : "cc", "memory");
	if (svm_exit_code(control) == SVM_EXIT_EXCP_BASE + MC_VECTOR)
		svm_forward_machine_check();
	return svm_exit_code(control) != (u32)SVM_EXIT_ERR;
}

/*
 * On a CPU that our VMs are to run on. If the flush works here once, it does so always: whether
 * VMRUN takes a VMCB depends on nothing that changes.
 */
int svm_beside_check(u32 asid)
{
	unsigned long flags;
	bool flushed;

	if (!svm_in_operation()) {
		pr_err_ratelimited("CPU %d is not in SVM operation, though KVM has a virtual machine\n",
				   smp_processor_id());
		return -EIO;
	}
	local_irq_save(flags);
	flushed = flush_asid(this_cpu_ptr(&beside)->flusher, asid);
	if (hw_breakpoint_active())
		set_debugreg(this_cpu_read(cpu_dr7), 7);
	local_irq_restore(flags);
	if (!flushed) {
		pr_err_ratelimited("CPU %d does not take the VMCB that flushes its TLB, which would mix KVM's guests with ours\n",
				   smp_processor_id());
		return -EIO;
	}
	return 0;
}

void svm_beside_enter(void)
{
	struct beside *this = this_cpu_ptr(&beside);

	if (!boot_cpu_has(X86_FEATURE_TSCRATEMSR))
		return;
	rdmsrl(MSR_AMD64_TSC_RATIO, this->kvm_tsc_ratio);
	if (this->kvm_tsc_ratio != SVM_TSC_RATIO_DEFAULT)
		wrmsrl(MSR_AMD64_TSC_RATIO, SVM_TSC_RATIO_DEFAULT);
}

bool svm_beside_leave(struct vm *vm, u32 asid)
{
	struct beside *this = this_cpu_ptr(&beside);
	bool flushed = flush_asid(this->flusher, asid);

	if (boot_cpu_has(X86_FEATURE_TSCRATEMSR) && this->kvm_tsc_ratio != SVM_TSC_RATIO_DEFAULT)
		wrmsrl(MSR_AMD64_TSC_RATIO, this->kvm_tsc_ratio);
	if (WARN_ON_ONCE(!flushed))
		return false;
	note_flush_behind(vm);
	return true;
}

void svm_beside_teardown(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct beside *this = per_cpu_ptr(&beside, cpu);

		free_page((unsigned long)this->flusher);
		this->flusher = NULL;
	}
	free_page((unsigned long)no_memory);
	no_memory = NULL;
}

int svm_beside_setup(void)
{
	int cpu;

	no_memory = (u64 *)get_zeroed_page(GFP_KERNEL);
	if (!no_memory)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct vmcb *vmcb = (struct vmcb *)get_zeroed_page(GFP_KERNEL);

		if (!vmcb) {
			svm_beside_teardown();
			return -ENOMEM;
		}
		svm_vmcb_init(vmcb, no_memory);
		per_cpu_ptr(&beside, cpu)->flusher = vmcb;
	}
	return 0;
}
