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

/* What it has itself goes. It is a node from then on, which goes with the last of its children. */
static void give_up(struct snappy *snappy, struct branch *branch)
{
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
}

/* Those that nothing is made of any more, from @branch on, come to snappy->gone. */
static void prune(struct snappy *snappy, struct branch *branch)
{
	struct branch *parent;

	for (; branch->parent && branch->released && !branch->child; branch = parent) {
		parent = branch->parent;
		snappy_free_lives(snappy, branch_remove(branch));
		machine_add(&snappy->branches, -1ull);
		branch->gone = true;
		/* Who has a dropped one may still ask for it. */
		if (branch->dropped)
			continue;
		branch->elder = snappy->gone;
		snappy->gone = branch;
	}
}

void snappy_undo(struct snappy *snappy, struct branch *child)
{
	/* Not among those that a release returns. */
	child->dropped = true;
	give_up(snappy, child);
	prune(snappy, child);
	snappy->counters.created--;
}

bool snappy_drop_oldest(struct snappy *snappy, const struct branch *spare)
{
	struct branch *branch = snappy->oldest;

	while (branch && (branch == spare || !branch_close(branch)))
		branch = branch->younger;
	if (!branch)
		return false;
	branch->dropped = true;
	give_up(snappy, branch);
	machine_add(&snappy->counters.dropped, 1);
	prune(snappy, branch);
	return true;
}

struct branch *snappy_release(struct snappy *snappy, struct branch *branch)
{
	struct branch *gone;

	if (branch->dropped) {
		branch->dropped = false;
		if (branch->gone) {
			branch->elder = snappy->gone;
			snappy->gone = branch;
		}
	} else {
		give_up(snappy, branch);
		prune(snappy, branch);
	}
	snappy->counters.released++;
	gone = snappy->gone;
	snappy->gone = NULL;
	return gone;
}
