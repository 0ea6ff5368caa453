// SPDX-License-Identifier: BSD-2-Clause
/* Exceptions of the guest's that nobody has handled, as the signals that Linux makes of them. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "sys/end.h"
#include "sys/signals.h"

#define POPULATE_READ  22	/* MADV_POPULATE_READ and _WRITE */
#define POPULATE_WRITE 23

#define FEC_RESERVED (1u << 3)	/* DBOS_FEC_* of processors: a bit is set that must not be */

#define DR6_STEP   0x4000
#define DR6_POINTS 0xf

static void describe(siginfo_t *info, int signo, int code, uint64_t address)
{
	info->si_signo = signo;
	info->si_code = code;
	info->si_addr = (void *)address;
}

/*
 * The exception does not tell why the host refused an access, or that it is the guest's own table
 * that did. The host tells when it is asked to have the page there.
 */
static void page_fault(const struct signal_trap *trap, siginfo_t *info)
{
	bool present = trap->error_code & DBOS_FEC_PRESENT;
	int how = trap->error_code & DBOS_FEC_WRITE ? POPULATE_WRITE : POPULATE_READ;
	long ret = host_syscall(SYS_madvise, trap->address & -4096ull, 4096, how, 0, 0, 0);

	if (ret == -EFAULT)
		describe(info, SIGBUS, BUS_ADRERR, trap->address);
	else if (ret == -EHWPOISON)
		describe(info, SIGBUS, BUS_MCEERR_AR, trap->address);
	else if (ret == -ENOMEM || (!ret && !present && !(trap->error_code & DBOS_FEC_FETCH)))
		describe(info, SIGSEGV, SEGV_MAPERR, trap->address);
	else
		describe(info, SIGSEGV, SEGV_ACCERR, trap->address);
}

/* By the lowest of the exceptions (SDM 1 8.5, 11.5). */
static int float_code(uint64_t exceptions)
{
	if (exceptions & 1)
		return FPE_FLTINV;
	if (exceptions & 4)
		return FPE_FLTDIV;
	if (exceptions & 8)
		return FPE_FLTOVF;
	if (exceptions & 0x12)
		return FPE_FLTUND;
	return exceptions & 0x20 ? FPE_FLTRES : FPE_FLTUNK;
}

static int debug_code(uint64_t dr6)
{
	if (dr6 & DR6_STEP)
		return TRAP_TRACE;
	return dr6 & DR6_POINTS ? TRAP_HWBKPT : TRAP_BRKPT;
}

/* The vectors are those of SDM 3A 6.15. */
static void find_signal(const struct signal_trap *trap, siginfo_t *info)
{
	switch (trap->no_frame ? ~0ull : trap->vector) {
	case 0:		/* #DE */
		return describe(info, SIGFPE, FPE_INTDIV, trap->address);
	case 1:		/* #DB */
		return describe(info, SIGTRAP, debug_code(trap->detail), trap->address);
	case 3:		/* #BP */
		return describe(info, SIGTRAP, SI_KERNEL, 0);
	case 6:		/* #UD */
		return describe(info, SIGILL, ILL_ILLOPN, trap->address);
	case 11:	/* #NP */
	case 12:	/* #SS */
		return describe(info, SIGBUS, SI_KERNEL, 0);
	case 14:
		return page_fault(trap, info);
	case 16:	/* #MF */
	case 19:	/* #XM */
		return describe(info, SIGFPE, float_code(trap->detail), trap->address);
	case 17:	/* #AC */
		return describe(info, SIGBUS, BUS_ADRALN, 0);
	default:
		return describe(info, SIGSEGV, SI_KERNEL, 0);
	}
}

/* False: the process has to end by it, as it can't be handled. */
static bool becomes_record(struct vcpu *vcpu, const siginfo_t *info)
{
	struct signals *signals = &vcpu->signals;
	struct signal_action action;
	uint64_t before = signal_mask_fill();
	int lost = 0;

	if (signals->pending) {
		before = signals->record.before;
		/* The exception comes first: the other is the host's again, or lost. */
		if (signals->trap.no_frame)
			lost = signals->record.info.si_signo;
		else
			signal_give_back(vcpu);
		signals->pending = 0;
	}
	if (lost == SIGSEGV || before & signal_bit(info->si_signo) ||
	    !signal_action_find(info->si_signo, &action))
		return false;
	if (action.flags & SA_RESETHAND)
		signal_action_reset(info->si_signo);
	signals->record = (struct signal_record){
		.info = *info,
		.action = action,
		.before = before,
		.during = signal_mask_during(&action, info->si_signo, before),
	};
	signals->pending = 1;
	signal_mask_host(vcpu, ~0ull);
	return true;
}

/* The guest's own table has no entry for memory of the process's: none could be made. */
static bool is_out_of_reach(const struct dbos *dbos, const struct signal_trap *trap)
{
	return trap->vector == 14 && !(trap->error_code & (DBOS_FEC_PRESENT | DBOS_FEC_HOST)) &&
	       !windows_find(&dbos->windows, trap->address) &&
	       !index_find(&dbos->regions, trap->address) &&
	       !host_syscall(SYS_madvise, trap->address & -4096ull, 4096, POPULATE_READ, 0, 0, 0);
}

static const char *reason(const struct vcpu *vcpu, bool may_handle)
{
	const struct signal_trap *trap = &vcpu->signals.trap;

	if (trap->no_frame)
		return "no room for the frame of a signal";
	if (trap->vector == 8)
		return "double fault";
	if (trap->vector == 14 && trap->error_code & FEC_RESERVED)
		return "a page-table entry is wrong";
	if (!may_handle)
		return "exception in a trap handler, or with interrupts off";
	if (is_out_of_reach(vcpu->dbos, trap))
		return "no guest-physical space or no frame for an address far from all others";
	return "exception without a handler";
}

void signal_fault(struct vcpu *vcpu, const struct dbos_tf *tf, bool may_handle)
{
	const struct signal_trap *trap = &vcpu->signals.trap;
	siginfo_t info = { 0 };

	find_signal(trap, &info);
	if (may_handle && becomes_record(vcpu, &info))
		return;
	end_report(reason(vcpu, may_handle), tf, trap->address);
	end_by_signal(info.si_signo, info.si_code, (uint64_t)info.si_addr);
}
