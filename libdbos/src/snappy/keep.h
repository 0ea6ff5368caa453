/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_KEEP_H
#define DBOS_KEEP_H

#include "snappy/snappy.h"

/*
 * For system calls that are under way at the cut and write: the parent keeps the pages, which the
 * host goes on writing, and the child gets copies at once. The world is stopped, the child is its
 * parent's youngest, and the present epoch the one behind its cut. -ENOMEM.
 */
int keep_written_pages(struct snappy *snappy, struct branch *parent, struct branch *child);

/*
 * The same for members whose pages stay where they are for the process, since what is no guest code
 * reads and writes them at their addresses at any moment. Snapshots of snapshots share these as all
 * others. -ENOMEM.
 */
int keep_members(struct snappy *snappy, struct branch *parent, struct branch *child);

#endif /* DBOS_KEEP_H */
