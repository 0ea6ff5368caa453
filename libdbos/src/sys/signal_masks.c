// SPDX-License-Identifier: BSD-2-Clause
/* The program's signal mask, which the host keeps, but not between a note and its frame. */
#include <errno.h>
#include <sys/syscall.h>

#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "sys/guest_memory.h"
#include "sys/signals.h"

#define MASK_SIZE 8

uint64_t signal_bit(int signo)
{
	return signo ? 1ull << (signo - 1) : 0;
}

uint64_t signal_mask_during(const struct signal_action *action, int signo, uint64_t mask)
{
	mask |= action->mask;
	return action->flags & SA_NODEFER ? mask : mask | signal_bit(signo);
}

static uint64_t swap(uint64_t mask)
{
	uint64_t old = 0;

	host_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, (long)&old, MASK_SIZE, 0, 0);
	return old;
}

uint64_t signal_mask_fill(void)
{
	return swap(~0ull);
}

/* Programs block all signals; the one that interrupts a vCPU must get through. */
void signal_mask_host(const struct vcpu *vcpu, uint64_t mask)
{
	swap(mask & ~signal_bit(vcpu->hv.hv->ops->doorbell_signal));
}

void signal_give_back(struct vcpu *vcpu)
{
	const struct signal_record *record = &vcpu->signals.record;
	long pid = host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
	long tid = host_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);

	if (record->action.flags & SA_RESETHAND)
		signal_action_set(record->info.si_signo, &record->action);
	host_syscall(SYS_rt_tgsigqueueinfo, pid, tid, record->info.si_signo, (long)&record->info, 0,
		     0);
	vcpu->signals.pending = 0;
}

/* With the host's mask full. */
static void settle(struct vcpu *vcpu, uint64_t mask)
{
	struct signals *signals = &vcpu->signals;
	struct signal_record *record = &signals->record;

	if (signals->pending && mask & signal_bit(record->info.si_signo))
		signal_give_back(vcpu);
	if (!signals->pending) {
		signal_mask_host(vcpu, mask);
		return;
	}
	record->before = mask;
	record->during = signal_mask_during(&record->action, record->info.si_signo, mask);
	swap(~signal_bit(vcpu->hv.hv->ops->doorbell_signal));
	vcpu->hv.hv->ops->doorbell(&vcpu->hv);
}

void signal_mask_becomes(struct vcpu *vcpu, uint64_t mask)
{
	signal_mask_fill();
	settle(vcpu, mask);
}

long signal_mask_call(struct vcpu *vcpu, struct pass_fault *fault)
{
	const struct dune_regs *regs = vcpu->regs;
	const struct guest_memory memory = guest_memory_of(vcpu, fault);
	uint64_t set, old, mask;
	long ret = 0;

	if (regs->r10 != MASK_SIZE)
		return -EINVAL;
	if (regs->rsi)
		ret = guest_read(&memory, regs->rsi, &set, sizeof(set));
	if (ret)
		return ret;
	old = signal_mask_fill();
	if (vcpu->signals.pending)
		old = vcpu->signals.record.before;
	mask = old;
	if (regs->rsi && (int)regs->rdi == SIG_BLOCK)
		mask = old | set;
	else if (regs->rsi && (int)regs->rdi == SIG_UNBLOCK)
		mask = old & ~set;
	else if (regs->rsi && (int)regs->rdi == SIG_SETMASK)
		mask = set;
	else if (regs->rsi)
		ret = -EINVAL;
	settle(vcpu, mask & ~(signal_bit(SIGKILL) | signal_bit(SIGSTOP)));
	if (!ret && regs->rdx)
		ret = guest_write(&memory, regs->rdx, &old, sizeof(old));
	return ret;
}
