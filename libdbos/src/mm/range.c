// SPDX-License-Identifier: BSD-2-Clause
#include <errno.h>

#include "mm/range.h"

static unsigned int level_that_fits(uint64_t va, uint64_t end, unsigned int largest)
{
	unsigned int level = largest;

	while (level > 1 && (va % level_size(level) || end - va < level_size(level)))
		level--;
	return level;
}

int range_edit(const struct table *table, uint64_t va, uint64_t end, unsigned int largest,
	       range_edit_fn edit, const void *arg, uint64_t *done)
{
	int ret = 0;

	while (va < end) {
		unsigned int level = level_that_fits(va, end, largest);
		struct table_entry entry;

		while ((ret = table_lock(table, va, level, &entry)) == -EEXIST)
			level--;
		if (ret)
			break;
		table_unlock(&entry, edit(arg, va, level, entry.value));
		va += level_size(level);
	}
	*done = va;
	return ret;
}

void range_collapse(const struct table *table, uint64_t va, uint64_t end, unsigned int largest)
{
	for (unsigned int level = 2; level <= largest; level++) {
		uint64_t size = level_size(level);

		for (uint64_t at = (va + size - 1) & ~(size - 1); at + size <= end; at += size)
			table_collapse(table, at, level, TLB_LAZY);
	}
}
