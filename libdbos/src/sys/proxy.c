// SPDX-License-Identifier: BSD-2-Clause
/*
 * The system-call proxy: the thread makes the guest's call with its own SYSCALL instruction.
 *
 * What becomes of the guest's pointers is told in pass.h. The calls that are not simply passed on
 * change the thread itself: what it is a copy of, where its FS and GS point, its signal mask, and
 * its end.
 */
#include <errno.h>
#include <sys/syscall.h>
#include <asm/prctl.h>

#include "cpu/offsets.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "mm/reach.h"
#include "sys/bases.h"
#include "sys/child.h"
#include "sys/descriptors.h"
#include "sys/exit.h"
#include "sys/guest_memory.h"
#include "sys/mapping.h"
#include "sys/pass.h"
#include "sys/proxy.h"
#include "sys/signals.h"

#define VECTOR_PF 14

static bool has_fault_handler(const struct dbos *dbos, uint64_t va)
{
	return handlers_cover(&dbos->handlers.faults, va) || guest_copies(dbos, va, 1);
}

/*
 * The guest's kernel sees the access that the host may not make for it, as a page fault of the
 * instruction that makes the call, which then is made again. Without a handler the call fails.
 */
static void fault_at_call(struct vcpu *vcpu, const struct pass_fault *fault)
{
	struct cpus *cpus = &vcpu->dbos->cpus;
	struct dune_regs *regs = vcpu->regs;
	uint32_t error_code = fault->write ? DBOS_FEC_WRITE : 0;
	bool handled;

	cpu_walks(cpus, &cpus->cpu[vcpu->number]);
	handled = has_fault_handler(vcpu->dbos, fault->va);
	if (reach_present(vcpu->dbos, cpus->cpu[vcpu->number].root, fault->va))
		error_code |= DBOS_FEC_PRESENT;
	cpu_outside(cpus, &cpus->cpu[vcpu->number]);
	if (!handled) {
		regs->rax = -EFAULT;
		return;
	}
	vcpu->refused_va = fault->va;
	vcpu->refused_length = fault->length;
	/* One byte before the OUT, and not on it, where KVM would take it for done. */
	if (is_passed_on(regs))
		regs->rip -= SYSCALL_AGAIN;
	else
		regs->rip = (uint64_t)dbos_syscall_entry;
	vcpu->hv.hv->ops->inject(&vcpu->hv, VECTOR_PF, error_code, fault->va);
}

static void pass_on(struct vcpu *vcpu, const struct syscall_info *call)
{
	struct pass_fault fault = { 0 };
	long ret;

	if (!mapping_call_is_refused(vcpu, &ret))
		ret = pass_call(vcpu, call, &fault);
	if (fault.happened)
		fault_at_call(vcpu, &fault);
	else
		vcpu->regs->rax = ret;
}

/* The thread's bases are the guest's when the host is asked for them; what it is told goes back. */
static long arch_prctl_call(struct vcpu *vcpu)
{
	const struct dune_regs *regs = vcpu->regs;
	struct pass_fault fault;
	struct dune_state state;
	long ret;

	ret = bases_out(vcpu);
	if (!ret)
		ret = pass_call(vcpu, syscall_find(regs->rax), &fault);
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

/* Calls about signals: theirs is memory of the guest's, which is walked for it. */
static void signal_call(struct vcpu *vcpu, long (*call)(struct vcpu *, struct pass_fault *))
{
	struct cpus *cpus = &vcpu->dbos->cpus;
	struct pass_fault fault = { 0 };
	long ret;

	cpu_walks(cpus, &cpus->cpu[vcpu->number]);
	ret = call(vcpu, &fault);
	cpu_outside(cpus, &cpus->cpu[vcpu->number]);
	if (fault.happened)
		fault_at_call(vcpu, &fault);
	else
		vcpu->regs->rax = ret;
}

/* In the guest, on the trap stack: the frame is the program's memory, as it sees it. */
static void sigreturn_call(struct dune_regs *regs)
{
	if (is_passed_on(regs))
		regs->rax = -ENOSYS;
	else
		regs->rip = (uint64_t)dbos_syscall_trap;
}

/* The call is to be made once more, when the handler of the signal has returned. */
static void begin_again(struct dune_regs *regs, uint64_t number)
{
	/* What a handler has passed on goes back there: see dispatch_syscall() in traps.c. */
	if (is_passed_on(regs))
		return;
	regs->rax = number;
	regs->rip = regs->rcx - SYSCALL_LENGTH;
	regs->rflags = regs->r11;
}

static bool make_call(struct vcpu *vcpu)
{
	struct dune_regs *regs = vcpu->regs;
	const struct syscall_info *call = syscall_find(regs->rax);

	vcpu->syscalls++;
	if (!call)
		unknown_note(&vcpu->dbos->unknown, regs->rax);
	if (!call || call->class == SYSCALL_PASS) {
		pass_on(vcpu, call);
		return true;
	}
	switch (regs->rax) {
	case SYS_clone:
	case SYS_fork:
	case SYS_vfork:
		return child_call(vcpu);
	case SYS_arch_prctl:
		regs->rax = arch_prctl_call(vcpu);
		return true;
	case SYS_rt_sigaction:
		signal_call(vcpu, signal_action_call);
		return true;
	case SYS_rt_sigprocmask:
		signal_call(vcpu, signal_mask_call);
		return true;
	case SYS_sigaltstack:
		signal_call(vcpu, signal_stack_call);
		return true;
	case SYS_rt_sigreturn:
		sigreturn_call(regs);
		return true;
	case SYS_close:
	case SYS_close_range:
	case SYS_dup2:
	case SYS_dup3:
		regs->rax = descriptor_call(regs);
		return true;
	case SYS_exit:
		exit_begin(vcpu);
		return true;
	/*
	 * Refused. clone3 takes its flags from memory: whoever uses it falls back to clone. A
	 * critical section of rseq would not be begun anew, for the kernel sees the thread in the
	 * run loop, never in it.
	 */
	case SYS_clone3:
	case SYS_rseq:
	default:
		regs->rax = -ENOSYS;
		return true;
	}
}

bool proxy_syscall(struct vcpu *vcpu)
{
	uint64_t number = vcpu->regs->rax;
	bool run_on = make_call(vcpu);

	if (run_on && vcpu->regs->rax == (uint64_t)-SIGNAL_RESTART)
		begin_again(vcpu->regs, number);
	return run_on;
}
