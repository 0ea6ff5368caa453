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

/* Of what is done under one hold of the lock. */
struct steps {
	struct snappy *snappy;
	uint64_t units;		/* entries looked at, and frames handed on, since it was taken */
	uint64_t began;
	bool yielding;		/* it may be given to others in between */
};

static void end_step(struct steps *steps)
{
	struct snappy_counters *counters = &steps->snappy->counters;

	if (steps->units > counters->longest_step)
		machine_store(&counters->longest_step, steps->units);
	machine_store(&counters->steps, counters->steps + 1);
	histogram_add(counters->step_time, machine_now() - steps->began);
	steps->units = 0;
}

static void unlink_pages(struct snappy *snappy, struct branch *branch, uint64_t table,
			 uint64_t range)
{
	uint64_t *entries = frames_memory(snappy->pool, table);
	struct span span = { 0, 0 };

	while (snappy_next_span(snappy, range, &span)) {
		for (uint64_t i = span.first; i < span.end; i++) {
			uint64_t gpa = entries[i] & DBOS_PTE_ADDR;

			if (entries[i] & DBOS_PTE_P &&
			    branch_owns(branch, life_of(&snappy->lives, gpa)))
				snappy_unlink(snappy, branch, gpa, 0, UNREACHED);
		}
	}
}

/*
 * What is its own is in tables that are its own. Returns how many entries were looked at. Others
 * may look for its pages before all is done (prioritised.c), and do not find these.
 */
static uint64_t unlink_range(struct snappy *snappy, struct branch *branch, uint64_t range)
{
	uint64_t *word = snappy_pde(snappy, branch, range);
	uint64_t entry = machine_load(word), gpa = entry & DBOS_PTE_ADDR;

	machine_store(word, 0);
	if (!entry_is_table(entry) || !branch_owns(branch, life_of(&snappy->lives, gpa)))
		return 1;
	unlink_pages(snappy, branch, gpa, range);
	snappy_unlink(snappy, branch, gpa, 1, UNREACHED);
	return TABLE_ENTRIES;
}

/*
 * A release is done in steps, and others may have the lock between two of them: what is to be done
 * grows with the memory of the snapshot, and cuts should not wait for all of that. In between, the
 * branch is closed, so nobody comes on it or cuts it, and not yet released, so it stays where it is
 * in the tree; but its children, its neighbours and new ones of these come and go.
 */
static void step(struct steps *steps, uint64_t units)
{
	struct snappy *snappy = steps->snappy;

	steps->units += units;
	if (steps->units < snappy->step || !steps->yielding)
		return;
	end_step(steps);
	snappy_lock_again(snappy);
	steps->began = machine_now();
}

/* What it has itself goes. It is a node from then on, which goes with the last of its children. */
static void give_up(struct steps *steps, struct branch *branch)
{
	struct snappy *snappy = steps->snappy;

	live_remove(snappy, branch);
	/* Members may join between two steps. */
	for (uint64_t va = snappy_next_range(snappy, 0); va;
	     va = snappy_next_range(snappy, va + SNAPPY_RANGE))
		step(steps, unlink_range(snappy, branch, va));
	snappy_free_root(snappy, branch);
	branch->table.root = 0;
	step(steps, TABLE_ENTRIES);
	branch->released = true;
}

/* Those that were ready for it: its children may have had them, and are gone. */
static void free_tables(struct steps *steps, struct branch *branch)
{
	struct life *life;

	while ((life = branch->tables)) {
		branch->tables = life->next;
		life->next = NULL;
		snappy_free_lives(steps->snappy, life);
		step(steps, 1);
	}
}

static void hand_on(struct steps *steps, struct branch *branch)
{
	struct snappy *snappy = steps->snappy;

	branch_unlink(branch);
	while (branch->held) {
		uint64_t left = steps->units < snappy->step ? snappy->step - steps->units : 1;
		uint64_t before = branch->held_count;

		snappy_free_lives(snappy, branch_hand_on(branch, left));
		step(steps, before - branch->held_count);
	}
	free_tables(steps, branch);
	branch->parent->leaving--;
}

static bool is_to_go(const struct branch *branch)
{
	return branch->parent && branch->released && !branch->child && !branch->leaving;
}

/* Those that nothing is made of any more, from @branch on, come to snappy->gone. */
static void prune(struct steps *steps, struct branch *branch)
{
	struct snappy *snappy = steps->snappy;
	struct branch *parent;

	for (; is_to_go(branch); branch = parent) {
		parent = branch->parent;
		hand_on(steps, branch);
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
	struct steps steps = { snappy, 0, 0, false };

	/* Not among those that a release returns. */
	child->dropped = true;
	give_up(&steps, child);
	prune(&steps, child);
	snappy->counters.created--;
}

bool snappy_drop_oldest(struct snappy *snappy, const struct branch *spare)
{
	struct branch *branch = snappy->oldest;
	struct steps steps = { snappy, 0, 0, false };

	while (branch && (branch == spare || !branch_close(branch)))
		branch = branch->younger;
	if (!branch)
		return false;
	branch->dropped = true;
	give_up(&steps, branch);
	machine_add(&snappy->counters.dropped, 1);
	prune(&steps, branch);
	return true;
}

struct branch *snappy_release(struct snappy *snappy, struct branch *branch)
{
	struct steps steps = { snappy, 0, machine_now(), true };
	struct branch *gone;

	if (branch->dropped) {
		branch->dropped = false;
		if (branch->gone) {
			branch->elder = snappy->gone;
			snappy->gone = branch;
		}
	} else {
		give_up(&steps, branch);
		prune(&steps, branch);
		end_step(&steps);
	}
	snappy->counters.released++;
	gone = snappy->gone;
	snappy->gone = NULL;
	return gone;
}
