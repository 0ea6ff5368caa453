// SPDX-License-Identifier: BSD-2-Clause
/* Memory for copies that the program gives: see <dbos/export.h>, which wants it to be of a file. */
#include <errno.h>
#include <sys/mman.h>

#include <dbos/export.h>

#include "mm/region_memory.h"
#include "snappy/instance.h"

/* One window's part. The region's own addresses lead there for ever, and no others are needed. */
static int lend_part(struct dbos *dbos, struct snappy *snappy, uint64_t va, uint64_t end)
{
	struct lives_extent extent = {
		.gpa = windows_gpa(&dbos->windows, va), .count = (end - va) / FRAME_SIZE,
		.inside = (char *)va, .outside = (char *)va,
	};
	size_t size = extent.count * sizeof(struct life);
	int ret;

	extent.life = map_covered(dbos, size);
	if (!extent.life)
		return -ENOMEM;
	ret = snappy_lock(snappy);
	if (!ret) {
		ret = snappy_lend(snappy, &extent);
		snappy_unlock(snappy);
	}
	if (ret)
		munmap(extent.life, size);
	return ret;
}

/* What was lent stays so if the rest can't be. */
static int lend(struct dbos *dbos, struct snappy *snappy, const struct dbos_region *region)
{
	uint64_t end = region->base + region->size, next;
	int ret = 0;

	for (uint64_t va = region->base; !ret && va < end; va = next) {
		const struct window *window = windows_find(&dbos->windows, va);

		next = window->va + window->size < end ? window->va + window->size : end;
		ret = lend_part(dbos, snappy, va, next);
	}
	return ret;
}

int dbos_snap_lend(struct dbos *dbos, struct dbos_region *region)
{
	struct snappy *snappy;
	int ret = 0;

	if (in_signal_handler())
		return -EDEADLK;
	if (!(region->flags & DBOS_REGION_WRITABLE) || region->flags & DBOS_REGION_BARE ||
	    region->adopted)
		return -EINVAL;
	pthread_mutex_lock(&dbos->region_lock);
	snappy = snappy_instance(dbos);
	if (!snappy)
		ret = -ENOMEM;
	else if (region->member)
		ret = -EEXIST;
	else
		region->member = true;
	pthread_mutex_unlock(&dbos->region_lock);
	return ret ? ret : lend(dbos, snappy, region);
}
