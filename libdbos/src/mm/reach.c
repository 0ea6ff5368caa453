// SPDX-License-Identifier: BSD-2-Clause
#include "dbos_internal.h"
#include "mm/reach.h"

static uint64_t look_up(const struct dbos *dbos, uint64_t root, uint64_t va, unsigned int *level)
{
	struct table table = dbos->table;

	if (root)
		table.root = root;
	return table_lookup(&table, va, level);
}

/* As far as one leaf goes. */
static bool find_in_leaf(const struct dbos *dbos, uint64_t root, uint64_t va, bool write,
			 struct reach *to)
{
	uint64_t entry, offset;
	unsigned int level;

	entry = look_up(dbos, root, va, &level);
	if (!(entry & DBOS_PTE_P) && !windows_find(&dbos->windows, va) &&
	    !index_find(&dbos->regions, va)) {
		to->host = va;
		to->length = WINDOW_ALIGN - va % WINDOW_ALIGN;
		return true;
	}
	if (!(entry & DBOS_PTE_P) || (write && !(entry & DBOS_PTE_W)))
		return false;
	offset = va % level_size(level);
	to->length = level_size(level) - offset;
	entry &= DBOS_PTE_ADDR & ~(level_size(level) - 1);
	return windows_va(&dbos->windows, entry + offset, &to->host);
}

bool reach_find(const struct dbos *dbos, uint64_t root, uint64_t va, uint64_t length, bool write,
		struct reach *to)
{
	struct reach next;

	if (!find_in_leaf(dbos, root, va, write, to))
		return false;
	while (to->length < length &&
	       find_in_leaf(dbos, root, va + to->length, write, &next) &&
	       next.host == to->host + to->length)
		to->length += next.length;
	if (to->length > length)
		to->length = length;
	return true;
}

bool reach_present(const struct dbos *dbos, uint64_t root, uint64_t va)
{
	unsigned int level;

	return look_up(dbos, root, va, &level) & DBOS_PTE_P;
}
