// SPDX-License-Identifier: BSD-2-Clause
/*
 * Calls that make a child: fork, vfork, clone. It begins in user space, behind the call and with
 * the guest's registers: the virtual machine is bound to one address space, a vCPU to one thread.
 * A new process may call dbos_init(), a new thread dbos_enter().
 *
 * A child with a copy of our memory returns through the run loop, as its parent does. One that
 * shares it can't: both would be on the vCPU's host stack at once. It jumps to where the guest was
 * straight from the system call, on its own stack (child.S).
 */
#include <errno.h>
#include <signal.h>
#include <linux/sched.h>
#include <sys/syscall.h>

#include "cpu/offsets.h"
#include "hv/host_syscall.h"
#include "sys/bases.h"
#include "sys/child.h"
#include "sys/interruptible.h"
#include "sys/proxy.h"
#include "sys/signals.h"

/* child.S */
long dbos_clone(const struct dune_regs *regs, uint64_t flags, uint64_t stack, const uint64_t *due);

/* What the child has of the guest beside the general registers: it begins as the thread is. */
static long registers_out(struct vcpu *vcpu)
{
	long ret = vcpu_vectors_out(vcpu);

	return ret ? ret : bases_out(vcpu);
}

static bool fork_call(struct vcpu *vcpu)
{
	struct dune_regs *regs = vcpu->regs;
	const uint64_t arguments[] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, 0 };
	long ret;

	/*
	 * The child has no run page: what it resumes from must be its own memory. The entry stub
	 * ends in a jump through RCX that is good inside only, so the child skips it. One that a
	 * handler has made goes on in the handler, which has been copied too.
	 */
	vcpu->fork_regs = *regs;
	vcpu->fork_regs.rax = 0;
	if (!is_passed_on(regs))
		vcpu->fork_regs.rip = regs->rcx;
	ret = registers_out(vcpu);
	if (!ret)
		ret = call_interruptible(vcpu, regs->rax, arguments);
	if (ret == 0) {
		signals_forked();
		vcpu->regs = &vcpu->fork_regs;
		return false;
	}
	regs->rax = ret;
	return true;
}

/* The registers of the code that made the call. */
static struct dune_regs caller_registers(const struct dune_regs *regs)
{
	const struct dbos_tf *tf = (const struct dbos_tf *)regs->rbx;
	struct dune_regs caller = *regs;

	if (!is_passed_on(regs)) {
		caller.rip = regs->rcx;
		return caller;
	}
	/* The handler's stack stays with the parent. */
	return (struct dune_regs){
		.rbx = tf->rbx, .rdx = tf->rdx, .rsi = tf->rsi, .rdi = tf->rdi, .rsp = tf->rsp,
		.rbp = tf->rbp, .r8 = tf->r8, .r9 = tf->r9, .r10 = tf->r10, .r12 = tf->r12,
		.r13 = tf->r13, .r14 = tf->r14, .r15 = tf->r15, .rip = tf->rip,
	};
}

/* @stack 0: the caller's own, which waits until the child has ended or executes a program. */
static long clone_sharing(struct vcpu *vcpu, uint64_t flags, uint64_t stack)
{
	struct dune_regs caller = caller_registers(vcpu->regs);
	struct signals *signals = &vcpu->signals;
	long ret = registers_out(vcpu);
	uint64_t never = 0, *due, *start;

	if (ret)
		return ret;
	if (!stack)
		stack = caller.rsp;
	start = (uint64_t *)(stack - CHILD_RED_ZONE);
	start[-1] = caller.rip;
	start[-2] = caller.rdi;
	start[-3] = caller.rsi;
	signals->interruptible = call_is_interruptible(vcpu);
	due = signals->interruptible ? &signals->pending : &never;
	ret = dbos_clone(&caller, flags, stack, due);
	signals->interruptible = false;
	return ret;
}

bool child_call(struct vcpu *vcpu)
{
	struct dune_regs *regs = vcpu->regs;
	uint64_t flags = regs->rax == SYS_clone ? regs->rdi : 0;

	if (regs->rax == SYS_vfork)
		regs->rax = clone_sharing(vcpu, CLONE_VM | CLONE_VFORK | SIGCHLD, 0);
	else if (flags & CLONE_VM)
		regs->rax = clone_sharing(vcpu, flags, regs->rsi);
	else if (regs->rax == SYS_clone && regs->rsi)
		regs->rax = -ENOSYS;	/* a copy of our memory on another stack: nobody does it */
	else
		return fork_call(vcpu);
	return true;
}
