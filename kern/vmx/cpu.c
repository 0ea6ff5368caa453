// SPDX-License-Identifier: GPL-2.0-only
/*
 * A physical CPU in VMX operation, and the VMCSs on it.
 *
 * A VMCS may be active on one CPU only, and that CPU may hold it in part in itself, until VMCLEAR
 * there (SDM 3C 25.1). So every CPU keeps a list of the VMCSs active on it: a vCPU that moves has
 * its own cleared on the old CPU by an interrupt to it, and a CPU that leaves VMX operation clears
 * all of its list first. VMREAD and VMWRITE are made between vmx_vmcs_load() and vmx_vmcs_put()
 * only, with interrupts off. Between two entries nothing of a vCPU is tied to the CPU, so the
 * thread may be preempted and moved without anybody having to be told: no preempt notifier.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <asm/asm.h>
#include <asm/msr.h>
#include <asm/perf_event.h>
#include <asm/tlbflush.h>

#include "vmx/vmcs.h"
#include "vmx/vmx.h"

struct vmx_cpu {
	void *region;			/* VMXON wants a page for itself */
	struct list_head active;
	struct vmx_vcpu *current_vcpu;	/* unless leased: then only KVM knows what is current */
	u64 kvm_vmcs;			/* leased: to be made current again */
	bool enabled;
	bool leased;
};

static DEFINE_PER_CPU(struct vmx_cpu, vmx_cpu);

/* A page that starts with the format's revision, as VMXON and VMPTRLD want it. */
static void *alloc_region(gfp_t gfp)
{
	u32 *region = (u32 *)get_zeroed_page(gfp);

	if (region)
		*region = vmx_capabilities()->revision;
	return region;
}

void vmx_cpu_teardown(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *this = per_cpu_ptr(&vmx_cpu, cpu);

		free_page((unsigned long)this->region);
		this->region = NULL;
	}
}

int vmx_cpu_setup(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct vmx_cpu *this = per_cpu_ptr(&vmx_cpu, cpu);

		INIT_LIST_HEAD(&this->active);
		this->region = alloc_region(GFP_KERNEL);
		if (!this->region) {
			vmx_cpu_teardown();
			return -ENOMEM;
		}
	}
	return 0;
}

#ifdef HAVE_VMXON
/* It faults when the firmware of this one CPU has forgotten to allow it. */
static int vmxon(const void *region)
{
	phys_addr_t pa = __pa(region);

	asm goto("1: vmxon %0\n\t"
		 _ASM_EXTABLE(1b, %l[fault])
		 "jbe %l[fault]"
		 : : "m"(pa) : "cc", "memory" : fault);
	return 0;
fault:
	return -EIO;
}

static int enter_vmx_operation(const struct vmx_cpu *this)
{
	int ret;

	if (__read_cr4() & X86_CR4_VMXE) {
		pr_info_ratelimited("CPU %d is in VMX operation already: lend us one of KVM's virtual machines (DUNE_LEASE_KVM), or stop them all, or unload kvm_intel\n",
				    smp_processor_id());
		return -EBUSY;
	}
	intel_pt_handle_vmx(1);
	cr4_set_bits(X86_CR4_VMXE);
	ret = vmxon(this->region);
	if (ret) {
		pr_err_ratelimited("VMXON failed on CPU %d: is VT-x enabled for all CPUs in the BIOS set-up?\n",
				   smp_processor_id());
		cr4_clear_bits(X86_CR4_VMXE);
		intel_pt_handle_vmx(0);
	}
	return ret;
}

static void leave_vmx_operation(void)
{
	asm volatile("vmxoff" : : : "cc", "memory");
	cr4_clear_bits(X86_CR4_VMXE);
	intel_pt_handle_vmx(0);
}
#else
/* The kernel would not know of a CR4.VMXE that we set, and fault when it next changes CR4. */
static int enter_vmx_operation(const struct vmx_cpu *this)
{
	pr_info_ratelimited("in this kernel only KVM can enter VMX operation: lend us one of its virtual machines (DUNE_LEASE_KVM)\n");
	return -EBUSY;
}

static void leave_vmx_operation(void)
{
}
#endif

/* Runs on the CPU, perhaps with interrupts off. */
int vmx_cpu_enable(bool leased)
{
	struct vmx_cpu *this = this_cpu_ptr(&vmx_cpu);
	int ret = 0;

	if (!vmx_capabilities_same()) {
		pr_err_ratelimited("CPU %d has another VT-x than the CPU the module was loaded on\n",
				   smp_processor_id());
		return -EIO;
	}
	if (!leased) {
		ret = enter_vmx_operation(this);
	} else if (!(__read_cr4() & X86_CR4_VMXE)) {
		pr_err_ratelimited("CPU %d is not in VMX operation, though KVM has a virtual machine\n",
				   smp_processor_id());
		ret = -EIO;
	}
	if (ret)
		return ret;
	vmx_flush_everything();
	this->leased = leased;
	this->enabled = true;
	return 0;
}

/* On a lease: KVM leaves at a reboot, on all CPUs, before we are told. */
static bool in_vmx_operation(void)
{
	return __read_cr4() & X86_CR4_VMXE;
}

/* On the CPU where it is active, with interrupts off. */
static void deactivate(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *this = this_cpu_ptr(&vmx_cpu);

	if (in_vmx_operation())
		vmcs_clear(vmx->vmcs);
	list_del(&vmx->active);
	vmx->launched = false;
	vmx->cpu = -1;
	if (this->current_vcpu == vmx)
		this->current_vcpu = NULL;
}

void vmx_cpu_disable(void)
{
	struct vmx_cpu *this = this_cpu_ptr(&vmx_cpu);
	struct vmx_vcpu *vmx, *next;
	unsigned long flags;

	local_irq_save(flags);
	if (!this->enabled)
		goto restore;
	this->enabled = false;
	list_for_each_entry_safe(vmx, next, &this->active, active)
		deactivate(vmx);
	if (!this->leased)
		leave_vmx_operation();
restore:
	local_irq_restore(flags);
}

static void deactivate_here(void *data)
{
	struct vmx_vcpu *vmx = data;

	/* The CPU may have gone through vmx_cpu_disable() before the interrupt came. */
	if (vmx->cpu == smp_processor_id())
		deactivate(vmx);
}

/* An offline CPU can't be asked, and need not: it has cleared everything on its way down. */
static void deactivate_anywhere(struct vmx_vcpu *vmx)
{
	int cpu = READ_ONCE(vmx->cpu);

	if (cpu >= 0)
		smp_call_function_single(cpu, deactivate_here, vmx, true);
}

void vmx_vmcs_fetch(struct vmx_vcpu *vmx)
{
	if (vmx->cpu != smp_processor_id())
		deactivate_anywhere(vmx);
}

bool vmx_vmcs_load(struct vmx_vcpu *vmx)
{
	struct vmx_cpu *this = this_cpu_ptr(&vmx_cpu);

	if (!this->enabled)
		return false;
	if (this->leased) {
		if (!in_vmx_operation())
			return false;
		this->kvm_vmcs = vmcs_current();
		this->current_vcpu = NULL;
	}
	if (vmx->cpu < 0) {
		/* Once too often, but for a VMCS that is new and wants it (SDM 3C 25.11.3). */
		vmcs_clear(vmx->vmcs);
		vmx->cpu = smp_processor_id();
		vmx->host_stale = true;
		list_add(&vmx->active, &this->active);
	}
	if (this->current_vcpu != vmx) {
		vmcs_make_current(__pa(vmx->vmcs));
		this->current_vcpu = vmx;
	}
	return true;
}

/* KVM goes by its own note of what is current, so it must be so. If nothing was, ours may stay. */
void vmx_vmcs_put(void)
{
	const struct vmx_cpu *this = this_cpu_ptr(&vmx_cpu);

	if (this->leased && this->kvm_vmcs != NO_VMCS)
		vmcs_make_current(this->kvm_vmcs);
}

bool vmx_vmcs_borrow(struct vmx_vcpu *vmx)
{
	/* While no CPU comes or goes, the one we are on is in VMX operation, as a VM exists. */
	cpus_read_lock();
	preempt_disable();
	vmx_vmcs_fetch(vmx);
	local_irq_disable();
	if (vmx_vmcs_load(vmx))
		return true;
	/* But for a reboot, which takes all CPUs out of it under our feet. */
	local_irq_enable();
	preempt_enable();
	cpus_read_unlock();
	return false;
}

void vmx_vmcs_return(struct vmx_vcpu *vmx)
{
	vmx_vmcs_put();
	local_irq_enable();
	preempt_enable();
	cpus_read_unlock();
}

int vmx_vmcs_create(struct vmx_vcpu *vmx)
{
	vmx->vmcs = alloc_region(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs)
		return -ENOMEM;
	vmx->cpu = -1;
	vmx->tlb_cpu = -1;
	return 0;
}

void vmx_vmcs_destroy(struct vmx_vcpu *vmx)
{
	deactivate_anywhere(vmx);
	free_page((unsigned long)vmx->vmcs);
}
