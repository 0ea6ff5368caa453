// SPDX-License-Identifier: BSD-2-Clause
/*
 * The system-call proxy: the thread makes the guest's call with its own SYSCALL instruction.
 *
 * Addresses are the same inside and outside, so almost every call passes through untouched. The
 * exceptions are calls that change the thread itself: what it is a copy of, where its FS and GS
 * point, its signal mask, and its end.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <asm/prctl.h>

#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "sys/child.h"
#include "sys/exit.h"
#include "sys/proxy.h"

static long pass_through(const struct dune_regs *regs)
{
	return host_syscall(regs->rax, regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8,
			    regs->r9);
}

/* FS and GS bases exist twice, in the thread and in its guest; keep the guest's in step. */
static long arch_prctl_call(struct vcpu *vcpu)
{
	const struct dune_regs *regs = vcpu->regs;
	struct dune_state state;
	long ret;

	ret = pass_through(regs);
	if (ret || (regs->rdi != ARCH_SET_FS && regs->rdi != ARCH_SET_GS))
		return ret;
	ret = vcpu->hv.hv->ops->get_state(&vcpu->hv, &state);
	if (ret)
		return ret;
	if (regs->rdi == ARCH_SET_FS)
		state.fs_base = regs->rsi;
	else
		state.gs_base = regs->rsi;
	return vcpu->hv.hv->ops->set_state(&vcpu->hv, &state);
}

/* Programs block all signals; the one that interrupts a vCPU must get through. */
static long sigprocmask_call(struct vcpu *vcpu)
{
	long ret = pass_through(vcpu->regs);

	doorbell_unblock(vcpu);
	return ret;
}

bool proxy_syscall(struct vcpu *vcpu)
{
	struct dune_regs *regs = vcpu->regs;

	vcpu->syscalls++;
	switch (regs->rax) {
	case SYS_clone:
	case SYS_fork:
	case SYS_vfork:
		return child_call(vcpu);
	case SYS_clone3:
		/* What takes its flags from memory: whoever uses it falls back to clone. */
		regs->rax = -ENOSYS;
		return true;
	case SYS_arch_prctl:
		regs->rax = arch_prctl_call(vcpu);
		return true;
	case SYS_rt_sigprocmask:
		regs->rax = sigprocmask_call(vcpu);
		return true;
	case SYS_exit:
		exit_begin(vcpu);
		return true;
	default:
		regs->rax = pass_through(regs);
		return true;
	}
}
