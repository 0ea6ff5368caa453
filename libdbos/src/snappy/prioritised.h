/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Prioritised copying (paper, 4.4): the process keeps the page that it writes first, and all
 * snapshots that have it are led to a copy. So the process's pages are where they always were, for
 * the host too; and it is those who are on snapshots that have to flush.
 *
 * A page that a call made on a snapshot is using, or that an importer has, can't be taken from
 * under them: then it is the process's that moves.
 */
#ifndef DBOS_PRIORITISED_H
#define DBOS_PRIORITISED_H

#include "snappy/engine.h"

/* Both under snappy_lock(), and by a write fault of the process. */

/* No snapshot has a leaf of 2 MiB at @va afterwards. False: no frame. */
bool prioritised_split(struct snappy *snappy, uint64_t va);

enum stay {
	STAY_NOT,		/* nothing has changed */
	STAY_ALONE,		/* the page may be written: no snapshot has it any more */
	STAY_COPIED,		/* ... and @copy is theirs */
	STAY_BACK,		/* the page is to move, to another frame: @copy is given up */
};

/*
 * The process's entry for @va leads to @gpa, without W, and is locked; @copy is the caller's.
 * Interrupts are off.
 */
enum stay prioritised_copy(struct snappy *snappy, uint64_t va, uint64_t gpa, uint64_t copy);

#endif /* DBOS_PRIORITISED_H */
