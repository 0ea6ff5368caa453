/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Branches: the process's own memory, each snapshot, and each snapshot of a snapshot.
 *
 * A branch has a page table and, in it, frames that it was given at its cut, which are its
 * ancestors', and frames that it has mapped since, which are its own: those born after its epoch.
 * It may write a frame where it is if that is its own and none of its children has it. Otherwise it
 * copies, and what was its own, and is not any more, is held by the youngest child that has it.
 *
 * When a child goes, what it held goes to its elder neighbour, if that has it too, or is free. So
 * each frame is looked at once for each snapshot that has it, and none holds up another one.
 */
#ifndef DBOS_BRANCH_H
#define DBOS_BRANCH_H

#include <stdbool.h>
#include <stdint.h>

#include "cpu/spinlock.h"
#include "mm/table.h"
#include "snappy/life.h"

struct branch {
	struct branch *parent;		/* NULL: the process's own */
	struct table table;
	uint64_t epoch;			/* that its cut has ended */
	uint64_t users;			/* vCPUs that are on it; or BRANCH_CLOSED */
	bool released;			/* and kept for its children only */
	bool dropped;			/* not by who has it: he has yet to release it */
	bool gone;			/* dropped, and no node any more */
	uint64_t leaving;		/* children that are handing on: it can't go before */
	struct branch *older, *younger;	/* of those that are not: live.h */
	bool shares;			/* it was given leaf tables of its parent's */
	bool fixed;			/* its frames are known to who does not see its table */
	struct life *tables;		/* leaf tables that were made for it: ready.h */

	/* Under the lock, which is the parent's for the last three; epochs are read without. */
	struct spinlock lock;
	struct branch *child;		/* the youngest */
	uint64_t newest;		/* its epoch; 0: no child */
	uint64_t sharing;		/* of the youngest that shares leaf tables; 0: none does */
	struct branch *elder;		/* the next older child of the parent */
	struct life *held;		/* of the parent's, what no younger child has */
	uint64_t held_count;
	uint64_t *all_held;		/* where those of all branches are counted */
};

/* As which vCPUs have its page table loaded (struct cpu). */
static inline uint64_t branch_root(const struct branch *branch)
{
	return branch->parent ? branch->table.root : 0;
}

/* Nobody goes on it any more: it is being given up. */
#define BRANCH_CLOSED (1ull << 63)

static inline bool branch_closed(const struct branch *branch)
{
	return machine_load(&branch->users) == BRANCH_CLOSED;
}

/* False: it is closed. Else it is not, until branch_leave(). */
static inline bool branch_enter(struct branch *branch)
{
	uint64_t users = machine_load(&branch->users);

	while (users != BRANCH_CLOSED) {
		if (machine_cas(&branch->users, &users, users + 1))
			return true;
	}
	return false;
}

static inline void branch_leave(struct branch *branch)
{
	machine_add(&branch->users, -1ull);
}

/* False: somebody is on it, or somebody else has closed it. */
static inline bool branch_close(struct branch *branch)
{
	uint64_t users = 0;

	return machine_cas(&branch->users, &users, BRANCH_CLOSED);
}

/* It was mapped by @branch itself. */
static inline bool branch_owns(const struct branch *branch, const struct life *life)
{
	return machine_load(&life->birth) > branch->epoch;
}

/*
 * @branch may write the frame where it is. True stays true while no child is cut, so until the
 * caller lets the world be stopped.
 */
static inline bool branch_has_alone(const struct branch *branch, const struct life *life)
{
	return branch_owns(branch, life) &&
	       machine_load(&life->birth) > machine_load(&branch->newest);
}

/*
 * Of a leaf table: the same, though children have pages that it leads to. What it says of the right
 * to write them may be of before their cut.
 */
static inline bool branch_has_table_alone(const struct branch *branch, const struct life *life)
{
	return branch_owns(branch, life) &&
	       machine_load(&life->birth) > machine_load(&branch->sharing);
}

/*
 * A frame of its own has left @branch's table. True: a child has it, and holds it now. False: it
 * is the caller's to free.
 */
bool branch_hold(struct branch *branch, struct life *life);

/*
 * From the process's own on all that there are, parents first; NULL: that was the last. Those that
 * are nodes only have no page table. Under snappy_lock().
 */
struct branch *branch_next(struct branch *branch);

/* @child is the youngest of @parent from now on. */
void branch_insert(struct branch *parent, struct branch *child);

/*
 * @child is none any more, but has yet to hand on what it holds: as long as ->held is not empty.
 * Then its parent's ->leaving is to be lowered.
 */
void branch_unlink(struct branch *child);

/* So much of it goes to other children of its parent; returns what none of these has. */
struct life *branch_hand_on(struct branch *child, uint64_t most);

#endif /* DBOS_BRANCH_H */
