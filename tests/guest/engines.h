/* SPDX-License-Identifier: BSD-2-Clause */
/* Every engine that a snapshot can be cut with: what is proved is proved with each of them. */
#ifndef ENGINES_H
#define ENGINES_H

#include <dbos/snapshot.h>

static const struct engine {
	const char *name;
	unsigned int flags;	/* of dbos_snap_create() */
} engines[] = {
	{ "lazy", 0 },
	{ "epoch", DBOS_SNAP_EPOCH },
	{ "instant", DBOS_SNAP_INSTANT },
};

#define ENGINES (sizeof(engines) / sizeof(engines[0]))

/* One that takes tables that are ready gets one, if no other thread is faster. */
static inline int engine_create(const struct engine *engine, struct dbos *dbos,
				struct dbos_snap **snap)
{
	int ret = engine->flags & DBOS_SNAP_INSTANT ? dbos_snap_prepare(dbos, 1) : 0;

	return ret ? ret : dbos_snap_create(dbos, engine->flags, snap);
}

#endif /* ENGINES_H */
