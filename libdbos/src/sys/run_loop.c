// SPDX-License-Identifier: BSD-2-Clause
/*
 * The run loop: runs the guest and does in user space what it stopped for.
 *
 * It runs between two stretches of guest code in the same thread, whose vector registers are the
 * guest's: hence no libc in here, and the compiler flag -mgeneral-regs-only. Signal handlers run
 * on this stack too; the kernel saves the vector registers for them.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "cpu/offsets.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "mm/cover.h"
#include "sys/bases.h"
#include "sys/exit.h"
#include "sys/proxy.h"
#include "sys/run_loop.h"

#define VECTOR_PF 14

struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

/*
 * Ends the process the way the kernel ends one for a fault it can't deliver: the signal with its
 * default action, which also writes the core file.
 */
static _Noreturn void die_by_signal(int signo, int code, uint64_t address)
{
	struct kernel_sigaction action = { 0 };
	uint64_t unblock = 1ull << (signo - 1);
	siginfo_t info = { 0 };
	long pid, tid;

	info.si_signo = signo;
	info.si_code = code;
	info.si_addr = (void *)address;
	pid = host_syscall(SYS_getpid, 0, 0, 0, 0, 0, 0);
	tid = host_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
	host_syscall(SYS_rt_sigaction, signo, (long)&action, 0, sizeof(unblock), 0, 0);
	host_syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&unblock, 0, sizeof(unblock), 0, 0);
	host_syscall(SYS_rt_tgsigqueueinfo, pid, tid, signo, (long)&info, 0, 0);
	for (;;)
		host_syscall(SYS_exit_group, 128 + signo, 0, 0, 0, 0, 0);
}

/* The signal Linux sends for an exception, by vector (SDM 3A 6.15). */
static int exception_signal(uint64_t vector)
{
	switch (vector) {
	case 0:		/* #DE */
	case 16:	/* #MF */
	case 19:	/* #XM */
		return SIGFPE;
	case 1:		/* #DB */
	case 3:		/* #BP */
		return SIGTRAP;
	case 6:		/* #UD */
		return SIGILL;
	case 17:	/* #AC */
		return SIGBUS;
	default:
		return SIGSEGV;
	}
}

/* An access the process may not make: the guest's kernel gets to see it as a page fault. */
static void reflect_fault(struct vcpu *vcpu, const struct hv_exit *exit)
{
	uint32_t error_code = DBOS_FEC_HOST;
	uint64_t va;

	/*
	 * Not the process's memory at all: an entry of its page table, or its CR3, is wrong. The
	 * handler may be behind that very entry, so the process ends, as on a bus error.
	 */
	if (!windows_va(&vcpu->dbos->windows, exit->gpa, &va))
		die_by_signal(SIGBUS, BUS_ADRERR, exit->gpa);
	/* The trap stack itself has overflown: there is nowhere left to report to. */
	if (va - (uint64_t)vcpu < VCPU_MAPPING_SIZE)
		die_by_signal(SIGSEGV, SEGV_ACCERR, va);
	if (exit->fault_flags & DUNE_FAULT_WRITE)
		error_code |= DBOS_FEC_WRITE;
	if (exit->fault_flags & DUNE_FAULT_EXEC)
		error_code |= DBOS_FEC_FETCH;
	vcpu->hv.hv->ops->inject(&vcpu->hv, VECTOR_PF, error_code, va);
}

/* OUT by the guest: what it wants of us. True: run on. */
static bool hypercall(struct vcpu *vcpu, uint16_t port)
{
	struct dune_regs *regs = vcpu->regs;

	switch (port) {
	case PORT_SYSCALL:
		return proxy_syscall(vcpu);
	case PORT_LEAVE:
		vcpu_vectors_out(vcpu);
		bases_out(vcpu);
		return false;
	case PORT_COUNTERS:
		vcpu->hv.hv->ops->counters(&vcpu->hv, (struct hv_counters *)regs->rdi);
		return true;
	case PORT_EXIT:
		exit_finish(vcpu, regs->rdi);
	case PORT_UNHANDLED:
		die_by_signal(exception_signal(regs->rdi), SI_KERNEL, regs->rsi);
	default:
		/* No such device: the bus swallows it. */
		return true;
	}
}

/*
 * A stay in the host that the guest has asked for, so where it may be stopped or kept waiting: the
 * vCPU is outside meanwhile. On its way back it says that it is inside and looks for what others
 * want of it (cpu_inside). Whoever wants something later sees it inside and rings, and a doorbell
 * that is rung before the vCPU has entered is answered when it has (hv.h). So nothing is missed.
 */
static bool stay_in_host(struct vcpu *vcpu, const struct hv_exit *exit)
{
	struct cpus *cpus = &vcpu->dbos->cpus;
	struct cpu *cpu = &cpus->cpu[vcpu->number];
	bool run_on = true;

	cpu_outside(cpus, cpu);
	if (exit->reason == HV_EXIT_HLT)
		host_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	else
		run_on = hypercall(vcpu, exit->port);
	if (run_on)
		cpu_inside(cpus, cpu);
	return run_on;
}

/*
 * All other exits happen to the guest, anywhere: with a page-table entry locked too, when it must
 * not be stopped with the world. It stays inside, as if it had been preempted, and others wait
 * until it runs again. That goes for a signal as well, whose handler runs before we know of it.
 */
const struct dune_regs *run_loop(struct vcpu *vcpu)
{
	const struct hv_ops *ops = vcpu->hv.hv->ops;
	struct cpus *cpus = &vcpu->dbos->cpus;
	struct hv_exit exit;

	doorbell_unblock(vcpu);
	if (ops->vectors_in && ops->vectors_in(&vcpu->hv) < 0)
		die_by_signal(SIGBUS, SI_KERNEL, vcpu->regs->rip);
	cpu_inside(cpus, &cpus->cpu[vcpu->number]);
	for (;;) {
		long ret = ops->run(&vcpu->hv, &exit);

		if (ret == -EINTR)
			continue;
		if (ret < 0)
			die_by_signal(SIGBUS, SI_KERNEL, vcpu->regs->rip);

		switch (exit.reason) {
		case HV_EXIT_AGAIN:
			break;
		case HV_EXIT_OUT:
			if (exit.port == PORT_DOORBELL)
				doorbell_ring(vcpu->dbos, vcpu->regs->rdi % CPUS_MAX);
			else if (exit.port == PORT_COVER)
				cover_in_host(vcpu->dbos,
					      (struct cover_request *)vcpu->regs->rdi);
			else if (!stay_in_host(vcpu, &exit))
				return vcpu->regs;
			break;
		case HV_EXIT_FAULT:
			reflect_fault(vcpu, &exit);
			break;
		case HV_EXIT_HLT:
			stay_in_host(vcpu, &exit);
			break;
		case HV_EXIT_DEAD:
			die_by_signal(SIGSEGV, SI_KERNEL, vcpu->regs->rip);
		}
	}
}
