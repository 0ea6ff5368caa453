// SPDX-License-Identifier: BSD-2-Clause
/* Regions that become members. */
#include <errno.h>
#include <sys/mman.h>

#include "mm/pgtable.h"
#include "mm/range.h"
#include "mm/region_memory.h"
#include "snappy/instance.h"

/*
 * Inside, the member's addresses lead to whatever page is there now; its own memory, which may be a
 * snapshot's by then, is read by another address.
 */
static uint64_t alias_entry(const void *arg, uint64_t va, unsigned int level, uint64_t old)
{
	const struct lives_extent *extent = arg;

	(void)old;
	return (extent->gpa + (va - (uint64_t)extent->inside)) | PGTABLE_LEAF | DBOS_PTE_NX |
	       (level > 1 ? DBOS_PTE_PS : 0);
}

/* By leaves of 2 MiB where both addresses allow it. */
static int map_alias(struct dbos *dbos, struct lives_extent *extent, struct dbos_region **alias)
{
	uint64_t size = extent->count * FRAME_SIZE, offset = extent->gpa % SNAPPY_RANGE, done;
	int ret = dbos_region_create(dbos, NULL, offset + size, offset + size, DBOS_REGION_BARE,
				     alias);

	if (ret)
		return ret;
	extent->inside = (char *)(*alias)->base + offset;
	ret = range_edit(&dbos->table, (uint64_t)extent->inside, (uint64_t)extent->inside + size,
			 2, alias_entry, extent, &done);
	if (ret)
		dbos_region_destroy(*alias);
	return ret;
}

static int enter(struct snappy *snappy, uint64_t va, const struct lives_extent *extent)
{
	int ret = snappy_lock(snappy);

	if (ret)
		return ret;
	ret = snappy_add_member(snappy, va, extent);
	snappy_unlock(snappy);
	return ret;
}

/* One window's part. */
static int add_part(struct dbos *dbos, struct snappy *snappy, uint64_t va, uint64_t end)
{
	struct lives_extent extent = {
		.gpa = windows_gpa(&dbos->windows, va), .count = (end - va) / FRAME_SIZE,
		.outside = (char *)va,
	};
	uint64_t lives = extent.count * sizeof(struct life);
	struct dbos_region *alias;
	int ret = map_alias(dbos, &extent, &alias);

	if (ret)
		return ret;
	extent.life = map_covered(dbos, lives);
	ret = extent.life ? enter(snappy, va, &extent) : -ENOMEM;
	if (!ret)
		return 0;
	if (extent.life)
		munmap(extent.life, lives);
	dbos_region_destroy(alias);
	return ret;
}

static int add_parts(struct dbos *dbos, struct snappy *snappy, uint64_t va, uint64_t end)
{
	uint64_t next;
	int ret = 0;

	for (; !ret && va < end; va = next) {
		const struct window *window = windows_find(&dbos->windows, va);

		next = window->va + window->size < end ? window->va + window->size : end;
		ret = add_part(dbos, snappy, va, next);
	}
	return ret;
}

static int check(const struct snappy *snappy, const struct dbos_region *region)
{
	if (!(region->flags & DBOS_REGION_WRITABLE) || region->flags & DBOS_REGION_BARE)
		return -EINVAL;
	if (region->member)
		return -EEXIST;
	return snappy->branches ? -EBUSY : 0;
}

int dbos_snap_add(struct dbos *dbos, struct dbos_region *region)
{
	struct snappy *snappy;
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	pthread_mutex_lock(&dbos->region_lock);
	snappy = snappy_instance(dbos);
	ret = snappy ? check(snappy, region) : -ENOMEM;
	if (!ret)
		region->member = true;
	pthread_mutex_unlock(&dbos->region_lock);
	if (ret)
		return ret;
	return add_parts(dbos, snappy, region->base, region->base + region->size);
}
