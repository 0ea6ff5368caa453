// SPDX-License-Identifier: BSD-2-Clause
/* What becomes a member, and what is none any more: regions, and other memory. */
#include <errno.h>
#include <sys/mman.h>

#include "mm/cover.h"
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

static int enter(struct snappy *snappy, uint64_t va, const struct lives_extent *extent, bool kept)
{
	int ret = snappy_lock(snappy);

	if (ret)
		return ret;
	ret = snappy_add_member(snappy, va, extent, kept);
	snappy_unlock(snappy);
	return ret;
}

/* One window's part. */
static int add_part(struct dbos *dbos, struct snappy *snappy, uint64_t va, uint64_t end, bool kept)
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
	ret = extent.life ? enter(snappy, va, &extent, kept) : -ENOMEM;
	if (!ret)
		return 0;
	if (extent.life)
		munmap(extent.life, lives);
	dbos_region_destroy(alias);
	return ret;
}

static int remove_part(struct dbos *dbos, struct snappy *snappy, uint64_t va, uint64_t *next)
{
	struct lives_extent extent;
	int ret = snappy_lock(snappy);

	if (ret)
		return ret;
	ret = snappy_remove_member(snappy, va, &extent);
	snappy_unlock(snappy);
	if (ret)
		return ret;
	*next = va + extent.count * FRAME_SIZE;
	munmap(extent.life, extent.count * sizeof(struct life));
	return dbos_region_destroy(dbos_region_find(dbos, extent.inside));
}

static int remove_parts(struct dbos *dbos, struct snappy *snappy, uint64_t va, uint64_t end)
{
	int ret = 0;

	while (!ret && va < end)
		ret = remove_part(dbos, snappy, va, &va);
	return ret;
}

static uint64_t end_of_window(const struct dbos *dbos, uint64_t va)
{
	const struct window *window = windows_find(&dbos->windows, va);

	return window->va + window->size;
}

static int add_parts(struct dbos *dbos, struct snappy *snappy, uint64_t va, uint64_t end, bool kept)
{
	uint64_t at, next;
	int ret = 0;

	for (at = va; at < end; at = next) {
		next = end_of_window(dbos, at);
		if (next > end)
			next = end;
		ret = add_part(dbos, snappy, at, next, kept);
		if (ret)
			break;
	}
	if (ret)
		remove_parts(dbos, snappy, va, at);
	return ret;
}

static int check(const struct snappy *snappy, const struct dbos_region *region)
{
	if (!(region->flags & DBOS_REGION_WRITABLE) || region->flags & DBOS_REGION_BARE)
		return -EINVAL;
	if (region->member)
		return -EEXIST;
	return snappy_here((struct snappy *)snappy) != &snappy->own ? -EBUSY : 0;
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
	ret = add_parts(dbos, snappy, region->base, region->base + region->size, false);
	if (ret)
		region->member = false;
	return ret;
}

int dbos_snap_remove(struct dbos *dbos, struct dbos_region *region)
{
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	if (!region->member)
		return -EINVAL;
	ret = remove_parts(dbos, dbos->snappy, region->base, region->base + region->size);
	if (!ret)
		region->member = false;
	return ret;
}

/* Each address leads to the process's memory there, and may be written. */
static bool is_as_at_first(const struct dbos *dbos, uint64_t va, uint64_t end)
{
	while (va < end) {
		unsigned int level;
		uint64_t entry = table_lookup(&dbos->table, va, &level);
		uint64_t offset = va & (level_size(level) - 1);

		if (!(entry & DBOS_PTE_P) || !(entry & DBOS_PTE_W) ||
		    (entry & DBOS_PTE_ADDR & ~(level_size(level) - 1)) + offset !=
		    windows_gpa(&dbos->windows, va))
			return false;
		va += level_size(level) - offset;
	}
	return true;
}

static int check_memory(struct dbos *dbos, uint64_t va, uint64_t end)
{
	uint64_t lo, hi;

	if (index_find(&dbos->regions, va))
		return -EINVAL;
	index_gap(&dbos->regions, va, &lo, &hi);
	return hi < end ? -EINVAL : cover(dbos, va, end - va);
}

int dbos_snap_add_memory(struct dbos *dbos, void *memory, size_t length, unsigned int flags)
{
	uint64_t va = (uint64_t)memory, end = va + length;
	struct snappy *snappy;
	int ret;

	if (in_signal_handler())
		return -EDEADLK;
	if (flags & ~DBOS_SNAP_KEEP || (va | end) % FRAME_SIZE || va >= end)
		return -EINVAL;
	pthread_mutex_lock(&dbos->region_lock);
	snappy = snappy_instance(dbos);
	ret = snappy ? check_memory(dbos, va, end) : -ENOMEM;
	pthread_mutex_unlock(&dbos->region_lock);
	if (ret)
		return ret;
	if (snappy_here(snappy) != &snappy->own)
		return -EBUSY;
	/* Part of a member is as it was added, or is found to be one. */
	if (!snappy_touches(snappy, va, length) && !is_as_at_first(dbos, va, end))
		return -EINVAL;
	__atomic_store_n(&dbos->table_edited, true, __ATOMIC_RELAXED);
	return add_parts(dbos, snappy, va, end, flags & DBOS_SNAP_KEEP);
}

int dbos_snap_remove_memory(struct dbos *dbos, void *memory, size_t length)
{
	uint64_t va = (uint64_t)memory;

	if (in_signal_handler())
		return -EDEADLK;
	if (!dbos->snappy || dbos_region_find(dbos, memory))
		return -EINVAL;
	return remove_parts(dbos, dbos->snappy, va, va + length);
}
