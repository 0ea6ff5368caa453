// SPDX-License-Identifier: BSD-2-Clause
/* sigaltstack(2) inside, where the guest's stack pointer tells whether the stack is in use. */
#include <errno.h>

#include "dbos_internal.h"
#include "sys/guest_memory.h"
#include "sys/proxy.h"
#include "sys/signals.h"

#define AUTODISARM (1u << 31)
#define SIZE_MIN   2048		/* the kernel's MINSIGSTKSZ */

static uint64_t caller_sp(const struct dune_regs *regs)
{
	return is_passed_on(regs) ? ((const struct dbos_tf *)regs->rbx)->rsp : regs->rsp;
}

static bool in_use(const stack_t *stack, uint64_t sp)
{
	return !((unsigned int)stack->ss_flags & AUTODISARM) && sp > (uint64_t)stack->ss_sp &&
	       sp - (uint64_t)stack->ss_sp <= stack->ss_size;
}

static long change(stack_t *stack, const stack_t *to, uint64_t sp)
{
	unsigned int mode = (unsigned int)to->ss_flags & ~AUTODISARM;

	if (in_use(stack, sp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		*stack = (stack_t){ .ss_flags = to->ss_flags };
		return 0;
	}
	if (to->ss_size < SIZE_MIN)
		return -ENOMEM;
	*stack = *to;
	return 0;
}

long signal_stack_call(struct vcpu *vcpu, struct pass_fault *fault)
{
	const struct dune_regs *regs = vcpu->regs;
	const struct guest_memory memory = guest_memory_of(vcpu, fault);
	stack_t *stack = &vcpu->signals.stack, to, from = *stack;
	uint64_t sp = caller_sp(regs);
	long ret = 0;

	from.ss_flags = (unsigned int)from.ss_flags & AUTODISARM;
	if (!from.ss_size)
		from.ss_flags |= SS_DISABLE;
	else if (in_use(stack, sp))
		from.ss_flags |= SS_ONSTACK;
	if (regs->rdi)
		ret = guest_read(&memory, regs->rdi, &to, sizeof(to));
	if (!ret && regs->rdi)
		ret = change(stack, &to, sp);
	if (!ret && regs->rsi)
		ret = guest_write(&memory, regs->rsi, &from, sizeof(from));
	return ret;
}
