// SPDX-License-Identifier: BSD-2-Clause
/*
 * The engine "epoch" (paper, 4.1): the child has a copy of the whole page table. The parent keeps
 * its tables, and may write nothing by any of their entries. That is an entry read, changed and
 * written for each page, all of it while the world stands still; writers copy no tables then.
 */
#include "snappy/engine.h"

static uint64_t epoch_share(struct snappy *snappy, uint64_t *entry, uint64_t childs,
			    uint64_t range)
{
	uint64_t old = machine_load(entry), gpa, had;

	if (!entry_is_table(old))
		return lazy_engine.share(snappy, entry, childs, range);
	gpa = snappy_new_table(snappy, 1, snappy->epoch + 1);
	if (!gpa)
		return 0;
	had = snappy_forbid_writing(snappy, old, range);
	snappy_copy_table(snappy, gpa, old, range, had & ~DBOS_PTE_W);
	snappy->counters.entries += TABLE_ENTRIES;
	return gpa | ENTRY_TABLE | DBOS_PTE_W;
}

const struct engine epoch_engine = {
	.name = "epoch", .make_root = snappy_copy_root, .share = epoch_share,
};
