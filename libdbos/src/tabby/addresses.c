// SPDX-License-Identifier: BSD-2-Clause
/* MMU: where the storage's addresses are. */
#include <dbos/region.h>

#include "dbos_internal.h"
#include "mm/cover.h"
#include "mm/range.h"
#include "tabby/addresses.h"
#include "tabby/memory.h"

#define PAGES_MAX (1ull << 34)	/* 64 TiB: half of the lower half of the address space */

/* Every page of these 2 MiB says that it is frame 0, which is somebody else's. */
static uint64_t to_zeroes(const void *arg, uint64_t va, unsigned int level, uint64_t old)
{
	const struct tabby *tabby = arg;

	(void)va;
	(void)old;
	return tabby->zeroes_gpa | DBOS_PTE_P | DBOS_PTE_A | DBOS_PTE_NX |
	       (level == 2 ? DBOS_PTE_PS : 0);
}

/* Guest-physically in one piece, or 0. */
static uint64_t place_of(struct dbos *dbos, const char *memory, size_t size)
{
	uint64_t gpa;

	if (cover(dbos, (uint64_t)memory, size))
		return 0;
	gpa = dbos_gpa(dbos, memory);
	return gpa && dbos_gpa(dbos, memory + size - 1) == gpa + size - 1 ? gpa : 0;
}

int tabby_addresses_open(struct tabby *tabby, struct dbos *dbos)
{
	size_t size = tabby->pool.pages * DBOS_PAGE_SIZE;
	struct dbos_region_info info;
	uint64_t done;
	int ret;

	if (!dbos || !dbos_inside() || tabby->pool.pages > PAGES_MAX)
		return -EINVAL;
	tabby->table = &dbos->table;
	tabby->cpus = &dbos->cpus;
	tabby->zeroes = tabby_map(DBOS_HUGE_SIZE);
	if (!tabby->zeroes)
		return -ENOMEM;
	tabby->gpa = place_of(dbos, tabby->pool.memory, tabby->pool.frames * DBOS_PAGE_SIZE);
	tabby->zeroes_gpa = place_of(dbos, tabby->zeroes, DBOS_HUGE_SIZE);
	if (!tabby->gpa || !tabby->zeroes_gpa)
		return -ENOSPC;
	ret = dbos_region_create(dbos, NULL, size, size, DBOS_REGION_BARE, &tabby->region);
	if (ret)
		return ret;
	dbos_region_info(tabby->region, &info);
	tabby->addresses = (uint64_t)info.base;
	ret = range_edit(tabby->table, tabby->addresses, tabby->addresses + info.reserve, 2,
			 to_zeroes, tabby, &done);
	tabby->pool.addresses = info.base;
	return ret;
}

void tabby_addresses_close(struct tabby *tabby)
{
	if (tabby->region)
		dbos_region_destroy(tabby->region);
	tabby_unmap(tabby->zeroes, DBOS_HUGE_SIZE);
}
