/* SPDX-License-Identifier: BSD-2-Clause */
/* How programs about snapshots begin: inside, with one member. */
#ifndef MEMBER_H
#define MEMBER_H

#include <dbos/dbos.h>
#include <dbos/region.h>
#include <dbos/snapshot.h>

#include "check.h"

/* Enters, makes a region of @size bytes in 2 MiB leaves a member, and returns where it is. */
static inline void *enter_with_member(size_t size, struct dbos_region **region)
{
	struct dbos_region_info info;

	check_ok(dbos_init());
	check_ok(dbos_enter());
	check_ok(dbos_region_create(dbos_instance(), NULL, size, size,
				    DBOS_REGION_WRITABLE | DBOS_REGION_HUGE, region));
	dbos_region_info(*region, &info);
	check_ok(dbos_snap_add(dbos_instance(), *region));
	return info.base;
}

#endif /* MEMBER_H */
