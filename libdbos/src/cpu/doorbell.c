// SPDX-License-Identifier: BSD-2-Clause
/* Interrupting a vCPU by its number: see doorbell.h. */
#include <signal.h>
#include <sys/syscall.h>

#include "cpu/doorbell.h"
#include "dbos_internal.h"
#include "hv/host_syscall.h"
#include "hv/machine.h"

void doorbell_ring(struct dbos *dbos, unsigned int number)
{
	struct doorbell *doorbell = &dbos->doorbells[number];
	struct vcpu *vcpu;

	machine_add(&doorbell->ringers, 1);
	vcpu = __atomic_load_n(&doorbell->vcpu, __ATOMIC_ACQUIRE);
	if (vcpu)
		dbos->hv.ops->doorbell(&vcpu->hv);
	machine_add(&doorbell->ringers, -1);
}

void doorbell_unblock(const struct vcpu *vcpu)
{
	int signo = vcpu->hv.hv->ops->doorbell_signal;
	uint64_t set = 1ull << (signo - 1);

	if (signo)
		host_syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&set, 0, sizeof(set), 0, 0);
}

void doorbell_install(struct dbos *dbos, unsigned int number, struct vcpu *vcpu)
{
	__atomic_store_n(&dbos->doorbells[number].vcpu, vcpu, __ATOMIC_RELEASE);
}

void doorbell_remove(struct dbos *dbos, unsigned int number)
{
	struct doorbell *doorbell = &dbos->doorbells[number];

	__atomic_store_n(&doorbell->vcpu, NULL, __ATOMIC_RELEASE);
	/* A ringer is counted before it looks: either we see it, or it sees that we are gone. */
	machine_fence();
	while (machine_load(&doorbell->ringers))
		machine_pause();
}
