// SPDX-License-Identifier: BSD-2-Clause
/* The end of snapshots, and of what only they had. */
#include <stddef.h>

#include "snappy/engine.h"
#include "snappy/live.h"

/*
 * Nobody is on @branch: its vCPUs have loaded another page table, which has flushed theirs, and
 * their system calls are over. So what they had is out of reach in generation 0.
 */
#define UNREACHED 0

static void unlink_pages(struct snappy *snappy, struct branch *branch, uint64_t table)
{
	uint64_t *entries = frames_memory(snappy->pool, table);

	for (unsigned int i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t gpa = entries[i] & DBOS_PTE_ADDR;

		if (entries[i] & DBOS_PTE_P && branch_owns(branch, life_of(&snappy->lives, gpa)))
			snappy_unlink(snappy, branch, gpa, 0, UNREACHED);
	}
}

/* What is its own is in tables that are its own. */
static void unlink_range(struct snappy *snappy, struct branch *branch, uint64_t entry)
{
	uint64_t gpa = entry & DBOS_PTE_ADDR;

	if (!entry_is_table(entry) || !branch_owns(branch, life_of(&snappy->lives, gpa)))
		return;
	unlink_pages(snappy, branch, gpa);
	snappy_unlink(snappy, branch, gpa, 1, UNREACHED);
}

struct branch *snappy_release(struct snappy *snappy, struct branch *branch)
{
	struct branch *gone = NULL, *parent;

	live_remove(snappy, branch);
	for (uint64_t i = 0; i < snappy->member_count; i++) {
		const struct member *member = &snappy->member[i];
		uint64_t *entry = NULL;

		for (uint64_t va = member->va; va < member->end; va += SNAPPY_RANGE) {
			entry = snappy_next_pde(snappy, branch, va, entry);
			unlink_range(snappy, branch, machine_load(entry));
		}
	}
	snappy_free_root(snappy, branch);
	branch->released = true;
	snappy->counters.released++;
	for (; branch->parent && branch->released && !branch->child; branch = parent) {
		parent = branch->parent;
		snappy_free_lives(snappy, branch_remove(branch));
		branch->elder = gone;
		gone = branch;
		machine_add(&snappy->branches, -1ull);
	}
	return gone;
}
