// SPDX-License-Identifier: BSD-2-Clause
#include <cpuid.h>
#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "cpu/offsets.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "hv/machine.h"
#include "sys/end.h"
#include "sys/guest_memory.h"
#include "sys/interruptible.h"
#include "sys/signals.h"

#define SIGNALS	    64
#define SA_RESTORER 0x04000000
#define MASK_SIZE   8

#define FXSAVE_SIZE 512

/*
 * The process's, as are signal actions: they outlive an instance, and a child has a copy. Under
 * the lock, which is held with all signals blocked, as the handler takes it.
 */
static struct {
	uint64_t lock;
	uint64_t inside;			/* threads */
	uint64_t taken;				/* signals for which the host has our handler */
	struct signal_action action[SIGNALS + 1];
} program;

/* interruptible.S */
extern char dbos_signal_restorer[];

static void signal_arrived(int signo, siginfo_t *info, void *context);

static void lock_actions(void)
{
	uint64_t unheld = 0;

	while (!machine_cas(&program.lock, &unheld, 1)) {
		machine_pause();
		unheld = 0;
	}
}

static void unlock_actions(void)
{
	machine_store(&program.lock, 0);
}

static bool is_handler(const struct signal_action *action)
{
	return action->handler != (uint64_t)SIG_DFL && action->handler != (uint64_t)SIG_IGN;
}

static long host_action(int signo, const struct signal_action *to, struct signal_action *from)
{
	return host_syscall(SYS_rt_sigaction, signo, (long)to, (long)from, MASK_SIZE, 0, 0);
}

/* What the host is told of a handler. The flags are as the program wants them. */
static struct signal_action ours(const struct signal_action *action)
{
	return (struct signal_action){
		.handler = (uint64_t)signal_arrived,
		.flags = action->flags | SA_SIGINFO | SA_RESTORER,
		.restorer = (uint64_t)dbos_signal_restorer,
		.mask = ~0ull,
	};
}

/* Under the lock. First the table, then the host: our handler must find what it is called for. */
static long set_action(int signo, const struct signal_action *action)
{
	struct signal_action to = *action;
	long ret;

	if (is_handler(action)) {
		program.action[signo] = *action;
		program.taken |= signal_bit(signo);
		to = ours(action);
	}
	ret = host_action(signo, &to, NULL);
	if (!is_handler(action)) {
		program.action[signo] = *action;
		program.taken &= ~signal_bit(signo);
	}
	return ret;
}

/* As the program would be told it. */
static long get_action(int signo, struct signal_action *action)
{
	long ret = host_action(signo, NULL, action);

	if (!ret && action->handler == (uint64_t)signal_arrived)
		*action = program.action[signo];
	return ret;
}

static void take_actions(int except)
{
	struct signal_action action;

	for (int signo = 1; signo <= SIGNALS; signo++) {
		if (signo == except || host_action(signo, NULL, &action) < 0 ||
		    action.handler == (uint64_t)signal_arrived || !is_handler(&action))
			continue;
		set_action(signo, &action);
	}
}

static void return_actions(void)
{
	struct signal_action action;

	for (int signo = 1; signo <= SIGNALS; signo++) {
		if (program.taken & signal_bit(signo) && host_action(signo, NULL, &action) == 0 &&
		    action.handler == (uint64_t)signal_arrived)
			host_action(signo, &program.action[signo], NULL);
	}
	program.taken = 0;
}

/* The vCPU on whose host stack that is: a number that others may free, but not if it is ours. */
static struct vcpu *vcpu_of_stack(uint64_t sp)
{
	struct dbos *dbos = dbos_instance();

	for (uint64_t i = 0; dbos && i < machine_load(&dbos->cpus.limit); i++) {
		struct vcpu *vcpu = __atomic_load_n(&dbos->doorbells[i].vcpu, __ATOMIC_ACQUIRE);
		uint64_t bottom = (uint64_t)vcpu + VCPU_MAPPING_SIZE - HOST_STACK_SIZE;

		if (vcpu && sp - bottom <= HOST_STACK_SIZE)
			return vcpu;
	}
	return NULL;
}

/* A mistake of the run loop's own, or of the guest's that has lent it a wrong pointer. */
static bool is_fault(const siginfo_t *info)
{
	return info->si_code > 0 && info->si_code != SI_KERNEL &&
	       (info->si_signo == SIGSEGV || info->si_signo == SIGILL ||
		(info->si_signo == SIGBUS && info->si_code != BUS_MCEERR_AO));
}

static void note(struct vcpu *vcpu, const siginfo_t *info, const struct signal_action *action,
		 ucontext_t *context)
{
	struct signals *signals = &vcpu->signals;
	uint64_t *rip = (uint64_t *)&context->uc_mcontext.gregs[REG_RIP];
	uint64_t *rax = (uint64_t *)&context->uc_mcontext.gregs[REG_RAX];
	uint64_t *mask = (uint64_t *)&context->uc_sigmask;
	uint64_t while_waiting = *mask;

	call_wait_mask(vcpu, *rip, *rax, &while_waiting);
	call_interrupt(vcpu, rip, rax);
	signals->record = (struct signal_record){
		.info = *info,
		.action = *action,
		.before = *mask,
		.during = signal_mask_during(action, info->si_signo, while_waiting),
	};
	signals->pending = 1;
	*mask = ~signal_bit(vcpu->hv.hv->ops->doorbell_signal);
	vcpu->hv.hv->ops->doorbell(&vcpu->hv);
}

static void call_outside(const struct signal_action *action, int signo, siginfo_t *info,
			 ucontext_t *context)
{
	uint64_t during = signal_mask_during(action, signo, *(uint64_t *)&context->uc_sigmask);

	host_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&during, 0, MASK_SIZE, 0, 0);
	((void (*)(int, siginfo_t *, void *))action->handler)(signo, info, context);
}

/* The host's only handler. All signals are blocked. */
static void signal_arrived(int signo, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;
	struct vcpu *vcpu = vcpu_of_stack(interrupted->uc_mcontext.gregs[REG_RSP]);
	struct signal_action action;

	lock_actions();
	action = program.action[signo];
	/* The host has done so already. */
	if (action.flags & SA_RESETHAND) {
		program.action[signo] = (struct signal_action){ 0 };
		program.taken &= ~signal_bit(signo);
	}
	unlock_actions();
	if (!is_handler(&action))
		return;
	if (!vcpu || !vcpu->signals.inside)
		call_outside(&action, signo, info, interrupted);
	else if (is_fault(info))
		end_by_signal(signo, info->si_code, (uint64_t)info->si_addr);
	else
		note(vcpu, info, &action, interrupted);
}

static uint32_t vectors_size(const struct vcpu *vcpu)
{
	uint32_t eax, ebx, ecx, edx;

	if (!vcpu->xsave_size)
		return FXSAVE_SIZE;
	__cpuid_count(0xd, 0, eax, ebx, ecx, edx);
	return ebx;
}

void signals_enter(struct vcpu *vcpu)
{
	struct signals *signals = &vcpu->signals;
	const stack_t none = { .ss_flags = SS_DISABLE };
	uint64_t mask = signal_mask_fill();

	signals->vectors_size = vectors_size(vcpu);
	lock_actions();
	program.inside++;
	take_actions(vcpu->hv.hv->ops->doorbell_signal);
	unlock_actions();
	/* The guest may be on it, which the host can't see: it would put frames over others. */
	host_syscall(SYS_sigaltstack, (long)&none, (long)&signals->stack, 0, 0, 0, 0);
	signals->inside = true;
	signal_mask_host(vcpu, mask);
}

/* From here on a signal finds the thread outside, though on the run loop's stack for a moment. */
void signals_leave(struct vcpu *vcpu)
{
	struct signals *signals = &vcpu->signals;
	uint64_t mask = signal_mask_fill();

	if (signals->pending) {
		mask = signals->record.before;
		signal_give_back(vcpu);
	}
	signals->inside = false;
	host_syscall(SYS_sigaltstack, (long)&signals->stack, 0, 0, 0, 0, 0);
	lock_actions();
	if (--program.inside == 0)
		return_actions();
	unlock_actions();
	signal_mask_host(vcpu, mask);
}

void signals_forked(void)
{
	program.lock = 0;
	program.inside = 1;
}

void signals_exit(struct vcpu *vcpu)
{
	const siginfo_t *info = &vcpu->signals.record.info;
	long pid = host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);

	lock_actions();
	if (vcpu->signals.pending && vcpu->signals.record.action.flags & SA_RESETHAND)
		set_action(info->si_signo, &vcpu->signals.record.action);
	if (--program.inside == 0)
		return_actions();
	unlock_actions();
	if (vcpu->signals.pending)
		host_syscall(SYS_rt_sigqueueinfo, pid, info->si_signo, (long)info, 0, 0, 0);
}

void signal_action_reset(int signo)
{
	const struct signal_action none = { 0 };

	lock_actions();
	set_action(signo, &none);
	unlock_actions();
}

void signal_action_set(int signo, const struct signal_action *action)
{
	lock_actions();
	set_action(signo, action);
	unlock_actions();
}

bool signal_action_find(int signo, struct signal_action *action)
{
	lock_actions();
	*action = program.action[signo];
	unlock_actions();
	return program.taken & signal_bit(signo) && is_handler(action);
}

static long change_action(struct vcpu *vcpu, int signo, const struct signal_action *to,
			  struct signal_action *from)
{
	uint64_t mask = signal_mask_fill();
	long ret;

	lock_actions();
	ret = get_action(signo, from);
	/* The doorbell's is not the program's, and is said to be set. */
	if (!ret && to && signo != vcpu->hv.hv->ops->doorbell_signal)
		ret = set_action(signo, to);
	unlock_actions();
	host_syscall(SYS_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, MASK_SIZE, 0, 0);
	return ret;
}

long signal_action_call(struct vcpu *vcpu, struct pass_fault *fault)
{
	const struct dune_regs *regs = vcpu->regs;
	const struct guest_memory memory = guest_memory_of(vcpu, fault);
	struct signal_action to, from;
	int signo = regs->rdi;
	long ret = 0;

	if (regs->r10 != MASK_SIZE || signo < 1 || signo > SIGNALS ||
	    (regs->rsi && (signo == SIGKILL || signo == SIGSTOP)))
		return -EINVAL;
	if (regs->rsi)
		ret = guest_read(&memory, regs->rsi, &to, sizeof(to));
	if (!ret)
		ret = change_action(vcpu, signo, regs->rsi ? &to : NULL, &from);
	if (!ret && regs->rdx)
		ret = guest_write(&memory, regs->rdx, &from, sizeof(from));
	return ret;
}
