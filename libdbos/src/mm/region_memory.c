// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "mm/region_memory.h"

#define NOTHING (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

/* More than is needed, of which the ends that stick out go again. */
static int reserve_aligned(struct dbos_region *region, uint64_t align)
{
	uint64_t slack = align - DBOS_PAGE_SIZE, lo, hi;
	char *got = mmap(NULL, region->reserve + slack, PROT_NONE, NOTHING, -1, 0);

	if (got == MAP_FAILED)
		return -ENOMEM;
	lo = (uint64_t)got;
	hi = lo + region->reserve + slack;
	region->base = (lo + align - 1) & ~(align - 1);
	if (region->base > lo)
		munmap(got, region->base - lo);
	if (region->base + region->reserve < hi)
		munmap((void *)(region->base + region->reserve),
		       hi - region->base - region->reserve);
	return 0;
}

static int reserve_there(struct dbos_region *region, uint64_t where)
{
	void *got = mmap((void *)where, region->reserve, PROT_NONE, NOTHING | MAP_FIXED_NOREPLACE,
			 -1, 0);

	if (got == MAP_FAILED)
		return -errno;
	/* Kernels before 4.17 take the address for a hint. */
	if (got != (void *)where) {
		munmap(got, region->reserve);
		return -EEXIST;
	}
	region->base = where;
	return 0;
}

int region_reserve(struct dbos_region *region, uint64_t where, uint64_t align)
{
	int ret = where ? reserve_there(region, where) : reserve_aligned(region, align);

	if (ret || !(region->flags & DBOS_REGION_SHARED))
		return ret;
	region->file = memfd_create("dbos-region", MFD_CLOEXEC);
	if (region->file >= 0)
		return 0;
	ret = -errno;
	munmap((void *)region->base, region->reserve);
	return ret;
}

int region_populate(struct dbos_region *region, uint64_t from, uint64_t to)
{
	int protection = PROT_READ | PROT_WRITE |
			 (region->flags & DBOS_REGION_EXEC ? PROT_EXEC : 0);
	int ret = 0;

	if (region->flags & DBOS_REGION_BARE)
		return 0;
	if (region->file >= 0)
		ret = ftruncate(region->file, to - region->base) < 0 ||
		      mmap((void *)from, to - from, protection, MAP_SHARED | MAP_FIXED,
			   region->file, from - region->base) == MAP_FAILED;
	else
		ret = mprotect((void *)from, to - from, protection);
	if (ret)
		return -errno;
	/* A kernel without huge pages says no; then there are none. */
	if (region->flags & (DBOS_REGION_HUGE | DBOS_REGION_GIGANTIC))
		madvise((void *)from, to - from, MADV_HUGEPAGE);
	return 0;
}

void region_depopulate(struct dbos_region *region, uint64_t from, uint64_t to)
{
	mmap((void *)from, to - from, PROT_NONE, NOTHING | MAP_FIXED, -1, 0);
	if (region->file >= 0)
		(void)!ftruncate(region->file, from - region->base);
}

void region_release(struct dbos_region *region)
{
	munmap((void *)region->base, region->reserve);
	if (region->file >= 0)
		close(region->file);
}
