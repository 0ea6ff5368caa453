// SPDX-License-Identifier: BSD-2-Clause
/*
 * A member that comes while there are snapshots. They were cut when it was none, so they have
 * nothing of it: what was one memory for all is the process's alone from now on, and theirs are
 * addresses where nothing is. The world is stopped.
 */
#include <stddef.h>

#include "snappy/engine.h"

static int own_directories(struct snappy *snappy, struct branch *branch, uint64_t va, uint64_t end)
{
	int ret = 0;

	va &= ~(level_size(3) - 1);
	for (; !ret && va < end; va += level_size(3))
		ret = snappy_own_path(snappy, branch, va);
	return ret;
}

static void forget_entries(struct snappy *snappy, struct branch *branch, uint64_t va, uint64_t end)
{
	uint64_t *entry = NULL;

	for (; va < end; va += SNAPPY_RANGE) {
		entry = snappy_next_pde(snappy, branch, va, entry);
		machine_store(entry, 0);
	}
}

int snappy_hide(struct snappy *snappy, uint64_t va, uint64_t end)
{
	struct branch *branch;
	int ret;

	for (branch = branch_next(&snappy->own); branch; branch = branch_next(branch)) {
		ret = branch->table.root ? own_directories(snappy, branch, va, end) : 0;
		if (ret)
			return ret;
	}
	for (branch = branch_next(&snappy->own); branch; branch = branch_next(branch)) {
		if (branch->table.root)
			forget_entries(snappy, branch, va, end);
	}
	tlb_flush(snappy->cpus, 0, TLB_ALL_PAGES, TLB_LAZY);
	return 0;
}
