// SPDX-License-Identifier: BSD-2-Clause
/* Regions: see <dbos/region.h>. What is behind them in the host is in region_memory.c. */
#include <errno.h>

#include <dbos/region.h>

#include "dbos_internal.h"
#include "hv/apart.h"
#include "mm/cover.h"
#include "mm/pgtable.h"
#include "mm/range.h"
#include "mm/region_memory.h"

#define RIGHTS (DBOS_REGION_WRITABLE | DBOS_REGION_EXEC)
#define SIZES  (DBOS_REGION_HUGE | DBOS_REGION_GIGANTIC)
#define KNOWN  (RIGHTS | SIZES | DBOS_REGION_SHARED | DBOS_REGION_BARE)

static uint64_t unit_of(unsigned int flags)
{
	if (flags & DBOS_REGION_GIGANTIC)
		return DBOS_GIGANTIC_SIZE;
	return flags & DBOS_REGION_HUGE ? DBOS_HUGE_SIZE : DBOS_PAGE_SIZE;
}

static int check_flags(const struct dbos *dbos, unsigned int flags)
{
	if (flags & ~KNOWN || (flags & SIZES) == SIZES)
		return -EINVAL;
	if (flags & DBOS_REGION_BARE && flags & (DBOS_REGION_SHARED | SIZES))
		return -EINVAL;
	return flags & DBOS_REGION_GIGANTIC && !dbos->gigabyte_pages ? -EINVAL : 0;
}

static uint64_t rights_of(unsigned int flags)
{
	return (flags & DBOS_REGION_WRITABLE ? DBOS_PTE_W : 0) |
	       (flags & DBOS_REGION_EXEC ? 0 : DBOS_PTE_NX);
}

/* What was there before regions: the window's leaf, or nothing where no window is. */
static uint64_t as_before(const void *arg, uint64_t va, unsigned int level, uint64_t old)
{
	uint64_t gpa = windows_gpa(&((const struct dbos *)arg)->windows, va);

	(void)old;
	return gpa ? gpa | PGTABLE_LEAF | (level > 1 ? DBOS_PTE_PS : 0) : 0;
}

static uint64_t at_first(const void *arg, uint64_t va, unsigned int level, uint64_t old)
{
	const struct dbos_region *region = arg;

	if (region->flags & DBOS_REGION_BARE)
		return 0;
	return (as_before(region->dbos, va, level, old) & ~DBOS_PTE_W) | rights_of(region->flags);
}

static uint64_t with_rights(const void *arg, uint64_t va, unsigned int level, uint64_t old)
{
	const struct dbos_region *region = arg;

	(void)va;
	(void)level;
	if (!(old & DBOS_PTE_P))
		return old;
	return (old & ~(DBOS_PTE_W | DBOS_PTE_NX)) | rights_of(region->flags);
}

static void flush(const struct dbos_region *region, uint64_t from, uint64_t to)
{
	tlb_flush(&region->dbos->cpus, from, (to - from) / DBOS_PAGE_SIZE, TLB_SYNC);
}

/* [from, to) is no region's any more. */
static void give_back(const struct dbos_region *region, uint64_t from, uint64_t to)
{
	const struct dbos *dbos = region->dbos;
	unsigned int largest = pgtable_largest_leaf(dbos);
	uint64_t done;

	range_edit(&dbos->table, from, to, largest, as_before, dbos, &done);
	flush(region, from, to);
	range_collapse(&dbos->table, from, to, largest);
}

/* [from, to) becomes the region's. Addresses outside of windows are nothing already. */
static int take(const struct dbos_region *region, uint64_t from, uint64_t to)
{
	struct dbos *dbos = region->dbos;
	uint64_t done;
	int ret;

	__atomic_store_n(&dbos->table_edited, true, __ATOMIC_RELAXED);
	ret = range_edit(&dbos->table, from, to, pgtable_largest_leaf(dbos), at_first, region,
			 &done);
	if (ret)
		give_back(region, from, done);
	else
		flush(region, from, to);
	return ret;
}

/* No window is to come where the region is. */
static int enter_index(struct dbos_region *region)
{
	struct dbos *dbos = region->dbos;
	uint64_t irqs = cover_lock(dbos);
	int ret = index_insert(&dbos->regions, region->base, region->base + region->reserve,
			       region);

	cover_unlock(dbos, irqs);
	return ret;
}

/* All that is alike for created and adopted ones; memory is there. */
static int begin(struct dbos_region *region)
{
	uint64_t length = region->flags & DBOS_REGION_BARE ? region->reserve : region->size;
	int ret = 0;

	if (!(region->flags & DBOS_REGION_BARE))
		ret = cover(region->dbos, region->base, region->size);
	if (!ret)
		ret = enter_index(region);
	if (ret)
		return ret;
	ret = take(region, region->base, region->base + length);
	if (ret)
		index_remove(&region->dbos->regions, region->base);
	return ret;
}

static struct dbos_region *new_region(struct dbos *dbos, uint64_t size, uint64_t reserve,
				      unsigned int flags)
{
	struct dbos_region *region = apart_alloc(sizeof(*region));

	if (region)
		*region = (struct dbos_region){
			.dbos = dbos, .size = size, .reserve = reserve, .flags = flags, .file = -1,
		};
	return region;
}

static int create_memory(struct dbos_region *region, uint64_t where, uint64_t unit)
{
	int ret = region_reserve(region, where, unit);

	if (ret)
		return ret;
	ret = region_populate(region, region->base, region->base + region->size);
	if (ret)
		region_release(region);
	return ret;
}

int dbos_region_create(struct dbos *dbos, void *where, size_t size, size_t reserve,
		       unsigned int flags, struct dbos_region **out)
{
	uint64_t unit = flags & DBOS_REGION_BARE ? WINDOW_ALIGN : unit_of(flags);
	struct dbos_region *region;
	int ret = check_flags(dbos, flags);

	if (flags & DBOS_REGION_BARE)
		reserve = (reserve + unit - 1) & ~(unit - 1);
	if (ret || !size || size > reserve || size % unit_of(flags) || reserve % unit ||
	    (uint64_t)where % unit)
		return -EINVAL;
	if (in_signal_handler())
		return -EDEADLK;
	region = new_region(dbos, size, reserve, flags);
	if (!region)
		return -ENOMEM;
	ret = create_memory(region, (uint64_t)where, unit);
	if (ret)
		goto free;
	pthread_mutex_lock(&dbos->region_lock);
	ret = begin(region);
	pthread_mutex_unlock(&dbos->region_lock);
	if (!ret) {
		*out = region;
		return 0;
	}
	region_release(region);
free:
	apart_free(region, sizeof(*region));
	return ret;
}

int dbos_region_adopt(struct dbos *dbos, void *memory, size_t size, unsigned int flags,
		      struct dbos_region **out)
{
	struct dbos_region *region;
	int ret = check_flags(dbos, flags);

	if (ret || !size || flags & (DBOS_REGION_SHARED | DBOS_REGION_BARE) ||
	    ((uint64_t)memory | size) % unit_of(flags))
		return -EINVAL;
	if (in_signal_handler())
		return -EDEADLK;
	region = new_region(dbos, size, size, flags);
	if (!region)
		return -ENOMEM;
	region->base = (uint64_t)memory;
	region->adopted = true;
	pthread_mutex_lock(&dbos->region_lock);
	ret = begin(region);
	pthread_mutex_unlock(&dbos->region_lock);
	if (ret)
		apart_free(region, sizeof(*region));
	else
		*out = region;
	return ret;
}

/* An adopted one needs the addresses, a created one the memory. */
static int extend(struct dbos_region *region, uint64_t from, uint64_t to)
{
	struct dbos *dbos = region->dbos;
	int ret;

	if (region->flags & DBOS_REGION_BARE)
		return 0;
	if (!region->adopted)
		ret = region_populate(region, from, to);
	else
		ret = index_resize(&dbos->regions, region->base, to);
	if (ret)
		return ret;
	ret = cover(dbos, from, to - from);
	if (!ret)
		ret = take(region, from, to);
	if (!ret)
		return 0;
	if (region->adopted)
		index_resize(&dbos->regions, region->base, from);
	else
		region_depopulate(region, from, to);
	return ret;
}

int dbos_region_grow(struct dbos_region *region, size_t size)
{
	struct dbos *dbos = region->dbos;
	int ret = -EINVAL;

	if (in_signal_handler())
		return -EDEADLK;
	if (region->member)
		return -EBUSY;
	pthread_mutex_lock(&dbos->region_lock);
	if (!region->adopted && size > region->reserve)
		ret = -ENOSPC;
	else if (size > region->size && size % unit_of(region->flags) == 0)
		ret = extend(region, region->base + region->size, region->base + size);
	if (!ret) {
		region->size = size;
		if (region->adopted)
			region->reserve = size;
	}
	pthread_mutex_unlock(&dbos->region_lock);
	return ret;
}

int dbos_region_protect(struct dbos_region *region, unsigned int flags)
{
	struct dbos *dbos = region->dbos;
	uint64_t end = region->base + region->size, done;
	int ret;

	if ((flags ^ region->flags) & ~RIGHTS)
		return -EINVAL;
	if (in_signal_handler())
		return -EDEADLK;
	if (region->member)
		return -EBUSY;
	pthread_mutex_lock(&dbos->region_lock);
	region->flags = flags;
	ret = range_edit(&dbos->table, region->base, end, pgtable_largest_leaf(dbos), with_rights,
		   region, &done);
	flush(region, region->base, end);
	pthread_mutex_unlock(&dbos->region_lock);
	return ret;
}

int dbos_region_destroy(struct dbos_region *region)
{
	struct dbos *dbos = region->dbos;
	uint64_t length = region->flags & DBOS_REGION_BARE ? region->reserve : region->size;

	if (in_signal_handler())
		return -EDEADLK;
	if (region->member)
		return -EBUSY;
	pthread_mutex_lock(&dbos->region_lock);
	give_back(region, region->base, region->base + length);
	index_remove(&dbos->regions, region->base);
	pthread_mutex_unlock(&dbos->region_lock);
	if (!region->adopted)
		region_release(region);
	apart_free(region, sizeof(*region));
	return 0;
}

struct dbos_region *dbos_region_find(const struct dbos *dbos, const void *va)
{
	return index_find(&dbos->regions, (uint64_t)va);
}

void dbos_region_info(const struct dbos_region *region, struct dbos_region_info *info)
{
	*info = (struct dbos_region_info){
		.base = (void *)region->base, .size = region->size, .reserve = region->reserve,
		.flags = region->flags, .adopted = region->adopted,
	};
}
