// SPDX-License-Identifier: BSD-2-Clause
/* The classic life cycle, and one slot of each kind over the chains of libdbos. */
#include <errno.h>

#include "compat/compat.h"
#include "dbos_internal.h"
#include "mm/frames.h"

/* Data, for programs write "pgroot": which table the process has does not change. */
ptent_t *pgroot;

/* Atomics, for other threads dispatch meanwhile. */
static dune_intr_cb intr_slots[256];
static dune_pgflt_cb the_pgflt_slot;
static dune_syscall_cb g0_syscall_slot;

int dune_init(bool map_full)
{
	struct dbos *dbos;
	int ret = dbos_init();

	(void)map_full;
	if (ret)
		return ret;
	dbos = dbos_instance();
	ret = pages_create(dbos);
	if (!ret)
		ret = pool_map_at_own_address(dbos);
	pgroot = frames_memory(&dbos->frames, dbos->table.root);
	return ret;
}

int dune_init_with_ipi(bool map_full)
{
	return dune_init(map_full);
}

int dune_enter(void)
{
	return dbos_enter();
}

dune_intr_cb intr_slot(unsigned int vector)
{
	return __atomic_load_n(&intr_slots[vector], __ATOMIC_ACQUIRE);
}

dune_pgflt_cb pgflt_slot(void)
{
	return __atomic_load_n(&the_pgflt_slot, __ATOMIC_ACQUIRE);
}

static enum dbos_verdict run_intr(void *arg, struct dbos_tf *tf)
{
	dune_intr_cb cb = intr_slot((dune_intr_cb *)arg - intr_slots);

	if (!cb)
		return DBOS_NEXT;
	cb(tf);
	return DBOS_HANDLED;
}

static enum dbos_verdict run_pgflt(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	dune_pgflt_cb cb = pgflt_slot();

	(void)arg;
	if (!cb)
		return DBOS_NEXT;
	cb(va, fec & ~DBOS_FEC_HOST, tf);
	return DBOS_HANDLED;
}

static enum dbos_verdict run_g0_syscall(void *arg, struct dbos_tf *tf)
{
	dune_syscall_cb cb = __atomic_load_n(&g0_syscall_slot, __ATOMIC_ACQUIRE);

	(void)arg;
	if (!cb)
		return DBOS_NEXT;
	cb(tf);
	return DBOS_HANDLED;
}

int dune_register_intr_handler(int vec, dune_intr_cb cb)
{
	int ret;

	if (vec < 0 || vec > 255)
		return -EINVAL;
	if (__atomic_exchange_n(&intr_slots[vec], cb, __ATOMIC_ACQ_REL))
		return 0;
	ret = dbos_on_intr(dbos_instance(), vec, run_intr, &intr_slots[vec]);
	if (ret)
		__atomic_store_n(&intr_slots[vec], NULL, __ATOMIC_RELEASE);
	return ret;
}

void dune_register_pgflt_handler(dune_pgflt_cb cb)
{
	if (__atomic_exchange_n(&the_pgflt_slot, cb, __ATOMIC_ACQ_REL))
		return;
	if (dbos_on_fault(dbos_instance(), 0, UINTPTR_MAX, run_pgflt, NULL))
		__atomic_store_n(&the_pgflt_slot, NULL, __ATOMIC_RELEASE);
}

void dune_register_g0_syscall_handler(dune_syscall_cb cb)
{
	if (__atomic_exchange_n(&g0_syscall_slot, cb, __ATOMIC_ACQ_REL))
		return;
	if (dbos_on_syscall(dbos_instance(), DBOS_ANY, run_g0_syscall, NULL))
		__atomic_store_n(&g0_syscall_slot, NULL, __ATOMIC_RELEASE);
}

void dune_passthrough_g0_syscall(struct dune_tf *tf)
{
	tf->rax = dbos_syscall_host(tf);
}
