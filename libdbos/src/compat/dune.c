// SPDX-License-Identifier: BSD-2-Clause
/* The classic dune.h calls: one slot of each kind, over the chains of libdbos. */
#include <errno.h>
#include <stddef.h>

#include <dune.h>

/* The slots the classic interface is made of; atomics, for other threads dispatch meanwhile. */
static dune_intr_cb intr_slots[256];
static dune_pgflt_cb pgflt_slot;
static dune_syscall_cb syscall_slot;

int dune_init(bool map_full)
{
	(void)map_full;
	return dbos_init();
}

int dune_enter(void)
{
	return dbos_enter();
}

static enum dbos_verdict run_intr(void *arg, struct dbos_tf *tf)
{
	dune_intr_cb cb = __atomic_load_n((dune_intr_cb *)arg, __ATOMIC_ACQUIRE);

	if (!cb)
		return DBOS_NEXT;
	cb(tf);
	return DBOS_HANDLED;
}

static enum dbos_verdict run_pgflt(void *arg, uintptr_t va, uint64_t fec, struct dbos_tf *tf)
{
	dune_pgflt_cb cb = __atomic_load_n(&pgflt_slot, __ATOMIC_ACQUIRE);

	(void)arg;
	if (!cb)
		return DBOS_NEXT;
	cb(va, fec, tf);
	return DBOS_HANDLED;
}

static enum dbos_verdict run_syscall(void *arg, struct dbos_tf *tf)
{
	dune_syscall_cb cb = __atomic_load_n(&syscall_slot, __ATOMIC_ACQUIRE);

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
	if (__atomic_exchange_n(&pgflt_slot, cb, __ATOMIC_ACQ_REL))
		return;
	if (dbos_on_fault(dbos_instance(), 0, UINTPTR_MAX, run_pgflt, NULL))
		__atomic_store_n(&pgflt_slot, NULL, __ATOMIC_RELEASE);
}

void dune_register_syscall_handler(dune_syscall_cb cb)
{
	if (__atomic_exchange_n(&syscall_slot, cb, __ATOMIC_ACQ_REL))
		return;
	if (dbos_on_syscall(dbos_instance(), DBOS_ANY, run_syscall, NULL))
		__atomic_store_n(&syscall_slot, NULL, __ATOMIC_RELEASE);
}

void dune_passthrough_syscall(struct dune_tf *tf)
{
	tf->rax = dbos_syscall_host(tf);
}
