// SPDX-License-Identifier: BSD-2-Clause
/*
 * The run loop: runs the guest and does in user space what it stopped for.
 *
 * It runs between two stretches of guest code in the same thread, whose vector registers are the
 * guest's: hence no libc in here, and the compiler flag -mgeneral-regs-only. Signals are taken on
 * this stack and handled in the guest (signals.h).
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <sys/syscall.h>

#include "cpu/offsets.h"
#include "cpu/stat.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "mm/cover.h"
#include "sys/bases.h"
#include "sys/delivery.h"
#include "sys/end.h"
#include "sys/exit.h"
#include "sys/proxy.h"
#include "sys/run_loop.h"
#include "sys/signals.h"

#define VECTOR_PF 14

/* The guest can't go on, and nothing in it can be told so. @error as the reporter has it. */
static _Noreturn void end_guest(const struct vcpu *vcpu, const char *what, uint64_t error,
				int signo, int code, uint64_t address)
{
	const struct dune_regs *regs = vcpu->regs;
	const struct dbos_tf tf = {
		.rax = regs->rax, .rbx = regs->rbx, .rcx = regs->rcx, .rdx = regs->rdx,
		.rsi = regs->rsi, .rdi = regs->rdi, .rbp = regs->rbp, .rsp = regs->rsp,
		.r8 = regs->r8, .r9 = regs->r9, .r10 = regs->r10, .r11 = regs->r11,
		.r12 = regs->r12, .r13 = regs->r13, .r14 = regs->r14, .r15 = regs->r15,
		.rip = regs->rip, .rflags = regs->rflags, .err = error,
	};

	end_report(what, &tf, address);
	end_by_signal(signo, code, address);
}

/* The hypervisor has failed, with -errno. */
static _Noreturn void end_refused(const struct vcpu *vcpu, long ret)
{
	end_guest(vcpu, "the hypervisor refuses", -ret, SIGBUS, SI_KERNEL, vcpu->regs->rip);
}

static _Noreturn void end_dead(const struct vcpu *vcpu, const struct hv_exit *exit)
{
	if (exit->reason == HV_EXIT_DEAD)
		end_guest(vcpu, "the hypervisor can't run the guest's state", exit->code, SIGSEGV,
			  SI_KERNEL, vcpu->regs->rip);
	end_guest(vcpu, exit->registers_lost ?
		  "triple fault, and KVM has lost the registers: these are a reset's" :
		  "triple fault", 0, SIGSEGV, SI_KERNEL, vcpu->regs->rip);
}

/* An access the process may not make: the guest's kernel gets to see it as a page fault. */
static void reflect_fault(struct vcpu *vcpu, const struct hv_exit *exit)
{
	uint32_t error_code = DBOS_FEC_HOST;
	const char *obstacle;
	uint64_t va;

	/*
	 * Not the process's memory at all: an entry of its page table, or its CR3, is wrong. The
	 * handler may be behind that very entry, so the process ends, as on a bus error.
	 */
	if (!windows_va(&vcpu->dbos->windows, exit->gpa, &va))
		end_guest(vcpu, "a page-table entry is wrong", 0, SIGBUS, BUS_ADRERR, exit->gpa);
	obstacle = delivery_obstacle(vcpu, va);
	if (obstacle)
		end_guest(vcpu, obstacle, 0, SIGSEGV, SEGV_ACCERR, va);
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
	case PORT_NO_STACK:
		end_report("the trap stack is not in the page table (flags, rax, rbx, rcx, rsi, "
			   "rdi, r14 and r15 are not the program's)",
			   (const struct dbos_tf *)regs->rdi, regs->rsi);
		end_by_signal(SIGSEGV, SEGV_MAPERR, regs->rsi);
	case PORT_UNHANDLED:
		signal_fault(vcpu, (const struct dbos_tf *)regs->rdi, regs->rsi);
		return true;
	case PORT_SIGNAL_MASK:
		signal_mask_becomes(vcpu, regs->rdi);
		return true;
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

static const struct dune_regs *leave(struct vcpu *vcpu)
{
	signals_leave(vcpu);
	return vcpu->regs;
}

/*
 * All other exits happen to the guest, anywhere: with a page-table entry locked too, when it must
 * not be stopped with the world. It stays inside, as if it had been preempted, and others wait
 * until it runs again. That goes for a signal as well, of which there is but a note then.
 */
const struct dune_regs *run_loop(struct vcpu *vcpu)
{
	const struct hv_ops *ops = vcpu->hv.hv->ops;
	struct cpus *cpus = &vcpu->dbos->cpus;
	struct hv_exit exit;
	long ret;

	signals_enter(vcpu);
	ret = ops->vectors_in ? ops->vectors_in(&vcpu->hv) : 0;
	if (ret < 0)
		end_refused(vcpu, ret);
	cpu_inside(cpus, &cpus->cpu[vcpu->number]);
	for (;;) {
		ret = ops->run(&vcpu->hv, &exit);
		if (ret == -EINTR)
			continue;
		if (ret < 0)
			end_refused(vcpu, ret);

		stat_exit(vcpu);
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
				return leave(vcpu);
			break;
		case HV_EXIT_FAULT:
			reflect_fault(vcpu, &exit);
			break;
		case HV_EXIT_HLT:
			stay_in_host(vcpu, &exit);
			break;
		case HV_EXIT_SHUTDOWN:
		case HV_EXIT_DEAD:
			end_dead(vcpu, &exit);
		}
	}
}
