// SPDX-License-Identifier: GPL-2.0-only
/*
 * What one guest has taught the branch predictors must not steer another process's guest.
 *
 * The kernel does this between processes only where a process or the administrator asked for it,
 * for it takes them for less valuable than virtual machines; here, one is the other.
 */
#include <linux/percpu.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

#include "hypervisor.h"

static DEFINE_PER_CPU(u64, last_vm);

/*
 * Interrupts off, before each entry. No inline function of the kernel's: newer ones call a function
 * that is reserved for KVM.
 */
void predictors_enter(const struct vm *vm)
{
	if (this_cpu_read(last_vm) == vm->id)
		return;
	this_cpu_write(last_vm, vm->id);
#ifdef X86_FEATURE_USE_IBPB
	if (boot_cpu_has(X86_FEATURE_USE_IBPB))	/* not under mitigations=off */
#else
	if (boot_cpu_has(X86_FEATURE_IBPB))
#endif
		wrmsrl(MSR_IA32_PRED_CMD, PRED_CMD_IBPB);
}
