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
};

#define ENGINES (sizeof(engines) / sizeof(engines[0]))

#endif /* ENGINES_H */
