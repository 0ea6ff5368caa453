// SPDX-License-Identifier: BSD-2-Clause
/* Registering handlers of system calls, the public side: see dbos/syscall.h. */
#include <errno.h>

#include <dbos/syscall.h>

#include "dbos_internal.h"

int dbos_on_syscalls(struct dbos *dbos, uintptr_t first, uintptr_t last, dbos_trap_fn fn, void *arg)
{
	struct handler handler = { .first = first, .last = last, .trap = fn, .arg = arg };
	int ret;

	if (!dbos || !fn || first > last)
		return -EINVAL;
	/* Outside of the lock: it allocates, which may run handlers that take the lock. */
	ret = handlers_add(&dbos->handlers.syscalls, &handler);
	if (ret)
		return ret;
	pthread_mutex_lock(&dbos->lock);
	for (struct vcpu *vcpu = dbos->vcpus; vcpu; vcpu = vcpu->next)
		__atomic_fetch_or(&vcpu->hook_state, 1, __ATOMIC_RELAXED);
	pthread_mutex_unlock(&dbos->lock);
	return 0;
}

int dbos_on_syscall(struct dbos *dbos, int nr, dbos_trap_fn fn, void *arg)
{
	if (nr < DBOS_ANY)
		return -EINVAL;
	if (nr == DBOS_ANY)
		return dbos_on_syscalls(dbos, 0, UINTPTR_MAX, fn, arg);
	return dbos_on_syscalls(dbos, nr, nr, fn, arg);
}
