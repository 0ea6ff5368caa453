/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Pages go back to their member's own memory, each to its own place, and 2 MiB that are together
 * again become one leaf. While there are snapshots of the process nothing is done: they have, or
 * hold, frames of the members.
 */
#ifndef DBOS_SETTLE_H
#define DBOS_SETTLE_H

#include "snappy/snappy.h"

/*
 * Copies at most @pages. *left: how many 2 MiB are not settled, that is one leaf or, if they are
 * not one member's alone, a table with all pages of members in their places. Under snappy_lock();
 * the world is stopped for one 2 MiB at a time. -EBUSY: there are snapshots.
 */
int snappy_settle(struct snappy *snappy, uint64_t pages, uint64_t *left);

/* frames.c: members' frames that are free, all of them, for who has snappy_lock(); and back. */
struct life *snappy_take_resting(struct snappy *snappy);
void snappy_rest(struct snappy *snappy, struct life *life);

#endif /* DBOS_SETTLE_H */
