/* SPDX-License-Identifier: BSD-2-Clause */
/* Snappy in a process: what <dbos/snapshot.h> is made of. */
#ifndef DBOS_INSTANCE_H
#define DBOS_INSTANCE_H

#include <dbos/snapshot.h>

#include "dbos_internal.h"
#include "snappy/snappy.h"

_Static_assert(DBOS_SNAP_READY_MAX == READY_MAX, "as many as there is room for");

struct dbos_snap {
	struct branch branch;		/* first, for gone branches are found by it */
	struct dbos *dbos;
};

/* The process's, made at the first call; NULL: no memory. Under dbos->region_lock. */
struct snappy *snappy_instance(struct dbos *dbos);

/* Zero, and in a window from the beginning: for fault handlers. NULL: no memory. */
void *map_covered(struct dbos *dbos, size_t size);

#endif /* DBOS_INSTANCE_H */
