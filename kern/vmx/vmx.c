// SPDX-License-Identifier: GPL-2.0-only
/* Intel VT-x behind struct vendor_ops: setting up, and one entry into the guest and out again. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/slab.h>
#include <asm/debugreg.h>
#include <asm/msr.h>
#include <asm/special_insns.h>
#include <asm/trapnr.h>

#include "statistics.h"
#include "vmx/vmcs.h"
#include "vmx/vmx.h"

/* What RFLAGS has; the other bits are reserved, and the CPU is strict about them here. */
#define RFLAGS_DEFINED 0x3f7fd5ul

#define DR7_GENERAL_DETECT BIT(13)

static bool l1d_flush __ro_after_init;

/*
 * A guest writes its own page tables, and a CPU with L1TF looks up in L1 what a not-present entry
 * points to as if that were host-physical. So L1 must hold nothing that is not the process's.
 */
static bool needs_l1d_flush(void)
{
	u64 capabilities = 0;

	if (!boot_cpu_has_bug(X86_BUG_L1TF) || cpu_mitigations_off())
		return false;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES))
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, capabilities);
	if (capabilities & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH)
		return false;	/* a hypervisor below does it */
	if (!boot_cpu_has(X86_FEATURE_FLUSH_L1D)) {
		pr_warn("this CPU has L1TF and no microcode to flush L1: guests can read the host's memory\n");
		return false;
	}
	return true;
}

static void vmx_teardown(void)
{
	vmx_guest_teardown();
	vmx_cpu_teardown();
}

static int vmx_setup(void)
{
	int ret;

	ret = vmx_capabilities_setup();
	if (ret)
		return ret;
	vmx_ept_setup();
	l1d_flush = needs_l1d_flush();
	ret = vmx_cpu_setup();
	if (ret)
		return ret;
	ret = vmx_guest_setup();
	if (ret)
		vmx_cpu_teardown();
	return ret;
}

static int vmx_vcpu_create(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx;
	int ret;

	vmx = kzalloc(sizeof(*vmx), GFP_KERNEL_ACCOUNT);
	if (!vmx)
		return -ENOMEM;
	vmx->msrs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->msrs) {
		ret = -ENOMEM;
		goto free;
	}
	ret = vmx_vpid_alloc();
	if (ret < 0)
		goto free_msrs;
	vmx->vpid = ret;
	vmx->eptp = vmx_eptp(vcpu->vm->tdp_root);
	ret = vmx_vmcs_create(vmx);
	if (ret)
		goto free_vpid;
	if (!vmx_vmcs_borrow(vmx)) {
		ret = -EIO;
		goto destroy_vmcs;
	}
	vmx_guest_init(vmx);
	vmx_vmcs_return(vmx);
	vcpu->vendor = vmx;
	return 0;

destroy_vmcs:
	vmx_vmcs_destroy(vmx);
free_vpid:
	vmx_vpid_free(vmx->vpid);
free_msrs:
	free_page((unsigned long)vmx->msrs);
free:
	kfree(vmx);
	return ret;
}

static void vmx_vcpu_destroy(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	vmx_vmcs_destroy(vmx);
	vmx_vpid_free(vmx->vpid);
	free_page((unsigned long)vmx->msrs);
	kfree(vmx);
}

/* The thread may come to another CPU than it ran on last. */
static void vmx_vcpu_prepare(struct vcpu *vcpu)
{
	vmx_vmcs_fetch(vcpu->vendor);
}

/*
 * An instruction that we have done ends the shadow of the one before it; under RFLAGS.TF a trap is
 * due behind it, and pending is how the manual wants it delivered (SDM 3C 33.2.1). In a shadow that
 * lasts, a step must be pending just if TF is set, and there is none of STI with IF clear (SDM 3C
 * 27.3.1.5). The CPU does not see to that itself: #DB behind an STI exits with nothing pending. If
 * the process has changed either flag, the guest is where it was put: nothing is left to end.
 */
static void write_interruptibility(struct vmx_vcpu *vmx, u64 rflags)
{
	bool changed = (rflags ^ vmx->rflags) & (X86_EFLAGS_TF | X86_EFLAGS_IF);
	u64 pending;

	if (!vmx->shadow && !vmx->stepped_over)
		return;
	if (changed || vmx->stepped_over)
		vmcs_write(GUEST_INTERRUPTIBILITY_INFO, vmcs_read(GUEST_INTERRUPTIBILITY_INFO) &
			   ~(u64)(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS));
	pending = vmcs_read(GUEST_PENDING_DBG_EXCEPTIONS) & ~(u64)DR_STEP;
	if (!changed && (rflags & X86_EFLAGS_TF))
		pending |= DR_STEP;
	vmcs_write(GUEST_PENDING_DBG_EXCEPTIONS, pending);
	vmx->stepped_over = false;
}

static void write_entry_fields(struct vmx_vcpu *vmx, const struct dune_regs *regs)
{
	u64 rflags = (READ_ONCE(regs->rflags) & RFLAGS_DEFINED & ~X86_EFLAGS_VM) | X86_EFLAGS_FIXED;

	vmcs_write(GUEST_RSP, regs->rsp);
	vmcs_write(GUEST_RIP, regs->rip);
	vmcs_write(GUEST_RFLAGS, rflags);
	write_interruptibility(vmx, rflags);
	if (vmx->primary != vmx->primary_written) {
		vmcs_write(CPU_BASED_VM_EXEC_CONTROL, vmx->primary);
		vmx->primary_written = vmx->primary;
	}
	if (vmx->clear_gd) {
		vmcs_write(GUEST_DR7, vmcs_read(GUEST_DR7) & ~(u64)DR7_GENERAL_DETECT);
		vmx->clear_gd = false;
	}
	if (vmx->event) {
		vmcs_write(VM_ENTRY_EXCEPTION_ERROR_CODE, vmx->event_error);
		vmcs_write(VM_ENTRY_INTR_INFO_FIELD, vmx->event);
	}
}

static void read_exit_fields(struct vmx_vcpu *vmx, struct dune_regs *regs, bool failed)
{
	struct vmx_exit *exit = &vmx->exit;

	memset(exit, 0, sizeof(*exit));
	exit->failed = failed;
	/* Delivered or refused, and then it must not stay for the next try. */
	if (vmx->event && (failed || vmcs_read(VM_EXIT_REASON) & VMX_EXIT_REASONS_FAILED_VMENTRY))
		vmcs_write(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx->event = 0;
	if (failed) {
		exit->reason = vmcs_read(VM_INSTRUCTION_ERROR);
		return;
	}
	vmx->launched = true;
	regs->rsp = vmcs_read(GUEST_RSP);
	regs->rip = vmcs_read(GUEST_RIP);
	vmx->rflags = vmcs_read(GUEST_RFLAGS);
	regs->rflags = vmx->rflags;
	vmx->shadow = vmcs_read(GUEST_INTERRUPTIBILITY_INFO) &
		      (GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS);
	exit->reason = vmcs_read(VM_EXIT_REASON);
	exit->event = vmcs_read(IDT_VECTORING_INFO_FIELD);
	if (exit->event & VECTORING_INFO_DELIVER_CODE_MASK)
		exit->event_error = vmcs_read(IDT_VECTORING_ERROR_CODE);

	switch (exit->reason) {
	case EXIT_REASON_EXTERNAL_INTERRUPT:
		break;
	case EXIT_REASON_EXCEPTION_NMI:
		exit->interruption = vmcs_read(VM_EXIT_INTR_INFO);
		exit->qualification = vmcs_read(EXIT_QUALIFICATION);
		exit->length = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
		break;
	case EXIT_REASON_EPT_VIOLATION:
	case EXIT_REASON_EPT_MISCONFIG:
		exit->gpa = vmcs_read(GUEST_PHYSICAL_ADDRESS);
		fallthrough;
	default:
		exit->qualification = vmcs_read(EXIT_QUALIFICATION);
		exit->length = vmcs_read(VM_EXIT_INSTRUCTION_LEN);
	}
}

/*
 * The exit took these from the host's handlers, which must run on this CPU. NMIs stay blocked from
 * the exit until the IRET of the handler, as after an NMI. (Other interrupts are still pending, for
 * we do not have them acknowledged at an exit, and come when the caller enables them.)
 */
static void forward_host_event(const struct vmx_exit *exit)
{
	u32 type = exit->interruption & INTR_INFO_INTR_TYPE_MASK;

	if (exit->failed)
		return;
	if (exit->reason == EXIT_REASON_EXCEPTION_NMI && type == INTR_TYPE_NMI_INTR)
		asm volatile("int $2");
	else if ((u16)exit->reason == EXIT_REASON_MCE_DURING_VMENTRY ||
		 (exit->reason == EXIT_REASON_EXCEPTION_NMI &&
		  (exit->interruption & INTR_INFO_VECTOR_MASK) == X86_TRAP_MC))
		asm volatile("int $18");
}

/* enter.S knows these offsets. */
static_assert(offsetof(struct dune_regs, rax) == 0);
static_assert(offsetof(struct dune_regs, rbx) == 8);
static_assert(offsetof(struct dune_regs, rdi) == 40);
static_assert(offsetof(struct dune_regs, rbp) == 56);
static_assert(offsetof(struct dune_regs, r8) == 64);
static_assert(offsetof(struct dune_regs, r15) == 120);

static bool vmx_vcpu_enter(struct vcpu *vcpu, bool flush)
{
	struct vmx_vcpu *vmx = vcpu->vendor;
	struct dune_regs *regs = &vcpu->run->regs;
	bool failed;

	if (!vmx_vmcs_load(vmx))
		return false;
	vmx_flush_vcpu(vmx, flush);
	vmx_host_save(vmx);
	write_entry_fields(vmx, regs);
	/* No page fault of the host can come between: interrupts are off. */
	if (native_read_cr2() != vmx->cr2)
		native_write_cr2(vmx->cr2);
	if (l1d_flush)
		wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
	if (vcpu->debug.live)
		set_debugreg(vmx->dr6, 6);
	failed = vmx_enter(regs, vmx->launched, vmx->host.spec_ctrl);
	vmx->cr2 = native_read_cr2();
	if (vcpu->debug.live) {
		get_debugreg(vmx->dr6, 6);
		set_debugreg(DR6_RESERVED, 6);
	}
	vmx_host_restore(vmx);
	read_exit_fields(vmx, regs, failed);
	vmx_vmcs_put();
	note_exit(vcpu, failed ? ~0u : (u16)vmx->exit.reason, vmx->exit.qualification,
		  vmx->exit.gpa);
	forward_host_event(&vmx->exit);
	return true;
}

const struct vendor_ops vmx_ops = {
	.id = DUNE_VENDOR_VMX,
	.name = "Intel VT-x with EPT",
	.kvm_module = "kvm_intel",
	.setup = vmx_setup,
	.teardown = vmx_teardown,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.tdp_format = vmx_tdp_format,
	.vcpu_create = vmx_vcpu_create,
	.vcpu_destroy = vmx_vcpu_destroy,
	.get_state = vmx_get_state,
	.set_state = vmx_set_state,
	.inject = vmx_inject,
	.inject_interrupt = vmx_inject_interrupt,
	.interrupt_window = vmx_interrupt_window,
	.prepare = vmx_vcpu_prepare,
	.enter = vmx_vcpu_enter,
	.handle_exit = vmx_handle_exit,
};
