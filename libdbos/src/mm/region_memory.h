/* SPDX-License-Identifier: BSD-2-Clause */
/* What the host has behind a region that was created. All return 0 or -errno. */
#ifndef DBOS_REGION_MEMORY_H
#define DBOS_REGION_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include <dbos/region.h>

struct dbos_region {
	struct dbos *dbos;
	uint64_t base, size, reserve;
	unsigned int flags;
	bool adopted;
	bool member;		/* of snapshots, which own its entries */
	int file;		/* SHARED: what it is of; else -1 */
};

/* Addresses for region->reserve bytes at @where or, if that is 0, anywhere; nothing to access. */
int region_reserve(struct dbos_region *region, uint64_t where, uint64_t align);

/* Makes [from, to) of it memory, or takes that back. */
int region_populate(struct dbos_region *region, uint64_t from, uint64_t to);
void region_depopulate(struct dbos_region *region, uint64_t from, uint64_t to);

/* All of it goes. */
void region_release(struct dbos_region *region);

#endif /* DBOS_REGION_MEMORY_H */
