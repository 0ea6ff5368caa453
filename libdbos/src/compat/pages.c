// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages with counted references, over dbos_frame_*(). The public interface has frames only one by
 * one; which addresses are frames at all is known by the pool itself (mm/frames.h).
 */
#include <errno.h>
#include <sys/mman.h>

#include <dbos/region.h>

#include "compat/compat.h"
#include "dbos_internal.h"
#include "mm/frames.h"

/* Written by pages_create() alone, before the program can have a page. */
static struct {
	const struct dbos *dbos;
	struct page *page;	/* one for each frame, by number */
	uint64_t in_use;
} pool;

int pages_create(const struct dbos *dbos)
{
	void *memory;

	/* A fork's child has another instance, whose frames are new. */
	if (pool.dbos == dbos)
		return 0;
	memory = mmap(NULL, dbos->frames.count * sizeof(struct page), PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	pool.page = memory;
	pool.in_use = 0;
	pool.dbos = dbos;
	return 0;
}

/*
 * Leaves for as much of it as lies where the region is, which is all. Identical addresses are
 * aligned alike, so leaves are large; they show what is beside the pool as well, read and write.
 */
static int map_leaves(struct dbos *dbos, uint64_t from, uint64_t to)
{
	struct dbos_entry entry;

	for (uint64_t gpa = from & ~(DBOS_HUGE_SIZE - 1); gpa < to; gpa += DBOS_HUGE_SIZE) {
		int ret = dbos_pte_lock(dbos, (void *)gpa, DBOS_HUGE_SIZE, &entry);

		if (ret)
			return ret;
		dbos_pte_unlock(&entry, gpa | PTE_P | PTE_W | PTE_A | PTE_D | PTE_PS | PTE_NX);
	}
	return 0;
}

int pool_map_at_own_address(struct dbos *dbos)
{
	uint64_t from = dbos->frames.gpa, to = from + (uint64_t)dbos->frames.count * FRAME_SIZE;
	uint64_t lo = from & ~(DBOS_GIGANTIC_SIZE - 1);
	uint64_t hi = (to + DBOS_GIGANTIC_SIZE - 1) & ~(DBOS_GIGANTIC_SIZE - 1);
	struct dbos_region *region = dbos_region_find(dbos, (void *)from);
	int ret;

	if (region)
		return 0;
	ret = dbos_region_create(dbos, (void *)lo, hi - lo, hi - lo,
				 DBOS_REGION_BARE | DBOS_REGION_WRITABLE, &region);
	/* No such virtual address, or something is there: then there is dune_page2va() only. */
	if (ret)
		return 0;
	ret = map_leaves(dbos, from, to);
	if (ret)
		dbos_region_destroy(region);
	return ret;
}

bool pool_has_frame(uint64_t gpa)
{
	return pool.dbos &&
	       gpa - pool.dbos->frames.gpa < (uint64_t)pool.dbos->frames.count * FRAME_SIZE;
}

struct page *dune_pa2page(physaddr_t pa)
{
	return &pool.page[(pa - pool.dbos->frames.gpa) / FRAME_SIZE];
}

physaddr_t dune_page2pa(struct page *pg)
{
	return pool.dbos->frames.gpa + (pg - pool.page) * FRAME_SIZE;
}

void *dune_page2va(struct page *pg)
{
	return frames_memory(&pool.dbos->frames, dune_page2pa(pg));
}

bool dune_page_isfrompool(physaddr_t pa)
{
	return pool_has_frame(pa) && __atomic_load_n(&dune_pa2page(pa)->ref, __ATOMIC_RELAXED);
}

struct page *dune_page_alloc(void)
{
	struct page *pg;
	uint64_t gpa;

	if (!pool.dbos)
		return NULL;
	gpa = dbos_frame_alloc(dbos_instance());
	if (!gpa)
		return NULL;
	pg = dune_pa2page(gpa);
	__atomic_store_n(&pg->ref, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&pool.in_use, 1, __ATOMIC_RELAXED);
	return pg;
}

/*
 * Who unmapped it may have flushed this vCPU only, as programs with one thread do. So it is taken
 * for mapped, and comes back when every vCPU has flushed all.
 */
static void retire(struct page *pg)
{
	struct dbos *dbos = dbos_instance();
	uint64_t generation;

	__atomic_fetch_sub(&pool.in_use, 1, __ATOMIC_RELAXED);
	/* In a signal handler nothing can be flushed: then the frame is lost, which is safe. */
	if (dbos_flush(dbos, NULL, DBOS_ALL_PAGES, DBOS_FLUSH_LAZY, &generation) == 0)
		dbos_frame_retire(dbos, dune_page2pa(pg), generation);
}

void dune_page_free(struct page *pg)
{
	if (__atomic_exchange_n(&pg->ref, 0, __ATOMIC_ACQ_REL))
		retire(pg);
}

struct page *dune_page_get(struct page *pg)
{
	__atomic_fetch_add(&pg->ref, 1, __ATOMIC_RELAXED);
	return pg;
}

void dune_page_put(struct page *pg)
{
	uint64_t ref = __atomic_load_n(&pg->ref, __ATOMIC_RELAXED);

	/* One that is free stays so: a program's mistake must not hand it out twice. */
	do {
		if (!ref)
			return;
	} while (!__atomic_compare_exchange_n(&pg->ref, &ref, ref - 1, false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	if (ref == 1)
		retire(pg);
}

void dune_page_stats(void)
{
	dune_printf("dune: %lu pages handed out, of a pool of %u\n",
		    __atomic_load_n(&pool.in_use, __ATOMIC_RELAXED),
		    pool.dbos ? pool.dbos->frames.count : 0);
}
