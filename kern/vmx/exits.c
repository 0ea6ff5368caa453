// SPDX-License-Identifier: GPL-2.0-only
/*
 * Why the guest stopped, and what follows. Three outcomes: we deal with it and run on, the guest
 * gets an exception for having tried, or the process is told (run->exit_reason).
 *
 * Nothing here touches the VMCS: what the CPU said is in vmx->exit, and what the next entry has to
 * write is left in struct vmx_vcpu.
 */
#include <asm/msr-index.h>
#include <asm/processor.h>
#include <asm/trapnr.h>

#include "vmx/vmx.h"

#define EXIT_REASON_GETSEC 11	/* the kernel has no name for it */

/* Exit qualification of an I/O instruction (SDM 3C 28.2.1). */
#define IO_SIZE(q)	((u8)((q) & 7) + 1)
#define IO_IN		BIT(3)
#define IO_STRING	BIT(4)
#define IO_REP		BIT(5)
#define IO_PORT(q)	((u16)((q) >> 16))

static void step_over(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	vcpu->run->regs.rip += vmx->exit.length;
	vmx->stepped_over = true;
	vmx->shadow = false;
}

static int inject_gp(struct vcpu *vcpu)
{
	vmx_queue_exception(vcpu, X86_TRAP_GP, true, 0);
	return 1;
}

static int inject_ud(struct vcpu *vcpu)
{
	vmx_queue_exception(vcpu, X86_TRAP_UD, false, 0);
	return 1;
}

static int handle_exception(struct vcpu *vcpu)
{
	const struct vmx_exit *exit = &((struct vmx_vcpu *)vcpu->vendor)->exit;

	if ((exit->interruption & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_NMI_INTR)
		return 1;		/* the host has taken it */

	switch (exit->interruption & INTR_INFO_VECTOR_MASK) {
	case X86_TRAP_MC:
		return 1;		/* likewise */
	case X86_TRAP_DB:
		/* INT1 exits as a fault and is a trap. */
		if ((exit->interruption & INTR_INFO_INTR_TYPE_MASK) == INTR_TYPE_PRIV_SW_EXCEPTION)
			step_over(vcpu);
		vmx_queue_debug_exception(vcpu);
		return 1;
	default:			/* #AC: the bitmap has no other */
		vmx_queue_exception(vcpu, X86_TRAP_AC, true, 0);
		return 1;
	}
}

static int handle_cpuid(struct vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = vcpu->vendor;
	struct dune_regs *regs = &vcpu->run->regs;
	u32 leaf = regs->rax, subleaf = regs->rcx;

	guest_cpuid(regs, vmx->cr4);
	/* A processor may have an instruction and no control to let guests use it. */
	if (leaf == 7 && subleaf == 0) {
		if (!(vmx_capabilities()->secondary & SECONDARY_EXEC_ENABLE_INVPCID))
			regs->rbx &= ~BIT(10);
		if (!(vmx_capabilities()->secondary & SECONDARY_EXEC_ENABLE_USR_WAIT_PAUSE))
			regs->rcx &= ~BIT(5);
	} else if (leaf == 0x80000001) {
		if (!(vmx_capabilities()->secondary & SECONDARY_EXEC_ENABLE_RDTSCP))
			regs->rdx &= ~BIT(27);
	}
	step_over(vcpu);
	return 1;
}

static int handle_hlt(struct vcpu *vcpu)
{
	step_over(vcpu);
	return interrupt_halt(vcpu);
}

static int handle_io(struct vcpu *vcpu)
{
	u64 info = ((struct vmx_vcpu *)vcpu->vendor)->exit.qualification;
	struct dune_run *run = vcpu->run;

	if (info & (IO_STRING | IO_REP))
		return inject_gp(vcpu);
	run->exit_reason = DUNE_EXIT_IO;
	run->io.port = IO_PORT(info);
	run->io.size = IO_SIZE(info);
	run->io.is_write = !(info & IO_IN);
	step_over(vcpu);
	return 0;
}

/* The MSRs of SYSCALL, kept in the MSR areas. Every other one that exits is #GP. */
static u64 *syscall_msr(struct vmx_vcpu *vmx, u32 msr)
{
	switch (msr) {
	case MSR_STAR:
		return &vmx->msrs->guest[SWITCHED_STAR].value;
	case MSR_LSTAR:
		return &vmx->msrs->guest[SWITCHED_LSTAR].value;
	case MSR_SYSCALL_MASK:
		return &vmx->msrs->guest[SWITCHED_SFMASK].value;
	case MSR_CSTAR:
		return &vmx->cstar;
	default:
		return NULL;
	}
}

static bool is_canonical(u64 address)
{
	return (s64)(address << 16) >> 16 == (s64)address;
}

static int handle_msr_read(struct vcpu *vcpu)
{
	struct dune_regs *regs = &vcpu->run->regs;
	const u64 *value = syscall_msr(vcpu->vendor, regs->rcx);

	if (!value)
		return inject_gp(vcpu);
	regs->rax = lower_32_bits(*value);
	regs->rdx = upper_32_bits(*value);
	step_over(vcpu);
	return 1;
}

static int handle_msr_write(struct vcpu *vcpu)
{
	const struct dune_regs *regs = &vcpu->run->regs;
	u32 msr = regs->rcx;
	u64 value = (u32)regs->rax | regs->rdx << 32;
	u64 *kept = syscall_msr(vcpu->vendor, msr);

	/* What the CPU would refuse at the next entry, it refuses here. */
	if (!kept || ((msr == MSR_LSTAR || msr == MSR_CSTAR) && !is_canonical(value)) ||
	    (msr == MSR_SYSCALL_MASK && upper_32_bits(value)))
		return inject_gp(vcpu);
	*kept = value;
	step_over(vcpu);
	return 1;
}

static int handle_ept_violation(struct vcpu *vcpu)
{
	const struct vmx_exit *exit = &((struct vmx_vcpu *)vcpu->vendor)->exit;
	u32 flags = 0;

	if (exit->qualification & EPT_VIOLATION_ACC_WRITE)
		flags |= DUNE_FAULT_WRITE;
	if (exit->qualification & EPT_VIOLATION_ACC_INSTR)
		flags |= DUNE_FAULT_EXEC;
	return memory_exit(vcpu, exit->gpa, flags);
}

static int report_hardware_exit(struct vcpu *vcpu, enum dune_exit reason)
{
	const struct vmx_exit *exit = &((struct vmx_vcpu *)vcpu->vendor)->exit;
	struct dune_run *run = vcpu->run;

	run->exit_reason = reason;
	run->hw.code = exit->reason;
	run->hw.info1 = exit->qualification;
	run->hw.info2 = exit->gpa;
	return 0;
}

int vmx_handle_exit(struct vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vcpu->vendor;

	/* Machine checks alone may prevent an entry and be over (the host has taken it). */
	if (vmx->exit.failed || (vmx->exit.reason & VMX_EXIT_REASONS_FAILED_VMENTRY &&
				 (u16)vmx->exit.reason != EXIT_REASON_MCE_DURING_VMENTRY))
		return report_hardware_exit(vcpu, DUNE_EXIT_FAIL_ENTRY);
	vmx_requeue_interrupted_event(vcpu);

	switch ((u16)vmx->exit.reason) {
	case EXIT_REASON_EXCEPTION_NMI:
		return handle_exception(vcpu);
	case EXIT_REASON_EXTERNAL_INTERRUPT:
	case EXIT_REASON_INIT_SIGNAL:
	case EXIT_REASON_SIPI_SIGNAL:
	case EXIT_REASON_MCE_DURING_VMENTRY:
	case EXIT_REASON_PREEMPTION_TIMER:
		return 1;	/* the host took it as soon as it could */
	case EXIT_REASON_EPT_VIOLATION:
		return handle_ept_violation(vcpu);
	case EXIT_REASON_IO_INSTRUCTION:
		return handle_io(vcpu);
	case EXIT_REASON_CPUID:
		return handle_cpuid(vcpu);
	case EXIT_REASON_HLT:
		return handle_hlt(vcpu);
	case EXIT_REASON_TRIPLE_FAULT:
		vcpu->dead = true;
		return report_hardware_exit(vcpu, DUNE_EXIT_SHUTDOWN);
	case EXIT_REASON_MSR_READ:
		return handle_msr_read(vcpu);
	case EXIT_REASON_MSR_WRITE:
		return handle_msr_write(vcpu);
	case EXIT_REASON_INTERRUPT_WINDOW:
		vcpu->run->interrupt_windows++;
		return 1;
	case EXIT_REASON_DR_ACCESS:
		debug_registers_give(vcpu);
		vmx->primary &= ~CPU_BASED_MOV_DR_EXITING;
		return 1;	/* the instruction runs again */
	case EXIT_REASON_CR_ACCESS:
	case EXIT_REASON_RDPMC:
	case EXIT_REASON_INVD:
	case EXIT_REASON_WBINVD:
	case EXIT_REASON_XSETBV:
	case EXIT_REASON_XSAVES:
	case EXIT_REASON_XRSTORS:
		return inject_gp(vcpu);
	case EXIT_REASON_VMCALL ... EXIT_REASON_VMON:
	case EXIT_REASON_INVEPT:
	case EXIT_REASON_INVVPID:
	case EXIT_REASON_VMFUNC:
	case EXIT_REASON_GETSEC:
	case EXIT_REASON_ENCLS:
	case EXIT_REASON_MONITOR_INSTRUCTION:
	case EXIT_REASON_MWAIT_INSTRUCTION:
		return inject_ud(vcpu);
	default:
		return report_hardware_exit(vcpu, DUNE_EXIT_UNKNOWN);
	}
}
