/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Chains of handlers, newest first. A node is published by one release store and never freed, so
 * a vCPU may walk a chain at any moment without a lock.
 */
#ifndef DBOS_HANDLERS_H
#define DBOS_HANDLERS_H

#include <dbos/dbos.h>

struct handler {
	struct handler *next;
	uintptr_t first, last;	/* addresses, vectors or call numbers; both included */
	union {
		dbos_fault_fn fault;
		dbos_trap_fn trap;
	};
	void *arg;
};

struct handlers {
	struct handler *own_faults;	/* libdbos's, before the program's */
	struct handler *faults;
	struct handler *traps;
	struct handler *syscalls;
};

int handlers_add(struct handler **chain, const struct handler *handler);
bool handlers_cover(struct handler *const *chain, uintptr_t key);
enum dbos_verdict handlers_run_fault(struct handler *const *chain, uintptr_t va, uint64_t fec,
				     struct dbos_tf *tf);
enum dbos_verdict handlers_run_trap(struct handler *const *chain, uintptr_t key,
				    struct dbos_tf *tf);

#endif /* DBOS_HANDLERS_H */
