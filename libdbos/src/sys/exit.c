// SPDX-License-Identifier: BSD-2-Clause
/*
 * A thread that ends inside. Others may have made calls to it, for whose end they wait, and those
 * run in the guest only: so its system call goes back there once more.
 */
#include <signal.h>
#include <sys/syscall.h>

#include "cpu/offsets.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "sys/exit.h"
#include "sys/signals.h"

void exit_settle(struct vcpu *vcpu)
{
	struct dbos *dbos = vcpu->dbos;

	calls_close(&dbos->cpus.cpu[vcpu->number]);
	frames_give_back(&dbos->frames, vcpu->number);
}

static _Noreturn void end_inside(struct vcpu *vcpu, long status)
{
	if (world_is_stopped_by(&vcpu->dbos->cpus, cpus_self(&vcpu->dbos->cpus)))
		world_start(&vcpu->dbos->cpus);
	exit_settle(vcpu);
	vcpu_hypercall(PORT_EXIT, status, 0);
	__builtin_unreachable();
}

/* On the trap stack: a thread may have given its own back before it calls exit. */
void exit_begin(struct vcpu *vcpu)
{
	struct dune_regs *regs = vcpu->regs;

	regs->rsi = regs->rdi;
	regs->rdi = (uint64_t)vcpu;
	regs->rip = (uint64_t)end_inside;
	/* As behind a CALL: 8 below a multiple of 16. */
	regs->rsp = vcpu->trap_stack_hi - 8;
	regs->rflags = RFLAGS_FIXED | RFLAGS_IF;
}

_Noreturn void exit_finish(struct vcpu *vcpu, long status)
{
	uint64_t all = ~0ull;

	/* A signal would find no stack between the last two system calls. */
	host_syscall(SYS_rt_sigprocmask, SIG_BLOCK, (long)&all, 0, sizeof(all), 0, 0);
	signals_exit(vcpu);
	vcpu_unlink(vcpu);
	vcpu->hv.hv->ops->vcpu_close(&vcpu->hv);
	dbos_exit_thread(vcpu, VCPU_MAPPING_SIZE, status);
}
