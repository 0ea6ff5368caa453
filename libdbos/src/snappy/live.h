/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The snapshots that nobody has given up, by age. A cut is younger than all before it, so both ends
 * of the list are where it changes most. Under snappy_lock(); what it says in the counters may be
 * read at any time.
 */
#ifndef DBOS_LIVE_H
#define DBOS_LIVE_H

#include "snappy/snappy.h"

void live_add(struct snappy *snappy, struct branch *branch);
void live_remove(struct snappy *snappy, struct branch *branch);

#endif /* DBOS_LIVE_H */
