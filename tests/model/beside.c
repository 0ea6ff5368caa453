// SPDX-License-Identifier: BSD-2-Clause
#include "beside.h"
#include "views.h"

#define RANGES 2

#define RANGE_VA(i) (VIEWS_BASE + (VIEWS_RANGES + (i)) * SNAPPY_RANGE)

static unsigned int mapped;

void beside_begin(void)
{
	mapped = 0;
}

void beside_map(void)
{
	struct table_entry entry;

	if (mapped == RANGES || table_lock(&table, RANGE_VA(mapped), 1, &entry))
		return;
	table_unlock(&entry, DATA_GPA | LEAF);
	mapped++;
}

void beside_check(const struct branch *branch)
{
	for (unsigned int i = 0; i < mapped; i++) {
		const uint64_t *is = snappy_pde(&snappy, branch, RANGE_VA(i));
		const uint64_t *should = snappy_pde(&snappy, &snappy.own, RANGE_VA(i));

		if (!is || (*is ^ *should) & DBOS_PTE_ADDR)
			model_fail("what is beside the members is not where it is in the process");
	}
}
