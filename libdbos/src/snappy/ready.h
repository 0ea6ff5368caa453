/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Page tables that are ready for a cut (the engine "instant"; paper, 4.2): each leads to the
 * process's pages of all members, down to entries of 4 KiB, and gives no right to write anything.
 * What changes in the process's table is mirrored into them; a cut makes one a snapshot's.
 *
 * Their leaf tables are nobody's own (birth 0), so who is to write there copies them first. They
 * are in a list, with the branch, and go with it.
 */
#ifndef DBOS_READY_H
#define DBOS_READY_H

#include "snappy/branch.h"

#define READY_MAX 8

enum { READY_NONE, READY_FILLING, READY_FULL };

struct ready {
	uint64_t state;		/* changed under snappy_lock(), or in a stopped world */
	struct branch branch;	/* its table, and the list of its leaf tables */
};

struct snappy;

/*
 * Sees to it that @count tables are ready: makes them, or gives some up. -EINVAL: more than
 * READY_MAX, or there is no member; -ENOMEM: fewer are; -EDEADLK. Takes snappy_lock(), and lets
 * others have it in between.
 */
int snappy_prepare(struct snappy *snappy, unsigned int count);

/* One that is, for the cut under snappy_lock(); NULL: none. */
struct ready *ready_full(struct snappy *snappy);

/*
 * The process's table has @entry for @va, behind a locked instruction; its lock is held, or the
 * world is stopped. Interrupts are off.
 */
void ready_mirror(struct snappy *snappy, uint64_t va, uint64_t entry);

#endif /* DBOS_READY_H */
