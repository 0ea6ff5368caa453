// SPDX-License-Identifier: BSD-2-Clause
/*
 * The engine "epoch" (paper, 4.1): the child has a copy of the whole page table. The parent keeps
 * its tables, and may write nothing by any of their entries. That is an entry read, changed and
 * written for each page, all of it while the world stands still; writers copy no tables then.
 */
#include "snappy/engine.h"

static void take_right(uint64_t *entry)
{
	uint64_t old = machine_load(entry);

	while (old & DBOS_PTE_W && !machine_cas(entry, &old, old & ~DBOS_PTE_W))
		;
}

/* In a stopped world: what the processor changes meanwhile are flags. */
static void forbid_writing(uint64_t *entries)
{
	for (unsigned int i = 0; i < TABLE_ENTRIES; i += ENTRIES_AT_ONCE) {
		if (!entries_have(&entries[i], DBOS_PTE_W))
			continue;
		for (unsigned int k = 0; k < ENTRIES_AT_ONCE; k++)
			take_right(&entries[i + k]);
	}
}

static uint64_t epoch_share(struct snappy *snappy, uint64_t *entry)
{
	uint64_t old = machine_load(entry), gpa;

	if (!entry_is_table(old))
		return lazy_engine.share(snappy, entry);
	gpa = snappy_new_table(snappy, 1, snappy->epoch + 1);
	if (!gpa)
		return 0;
	forbid_writing(frames_memory(snappy->pool, old & DBOS_PTE_ADDR));
	snappy_fill_table(snappy, gpa, old);
	snappy->counters.entries += TABLE_ENTRIES;
	return gpa | ENTRY_TABLE | DBOS_PTE_W;
}

const struct engine epoch_engine = { .name = "epoch", .share = epoch_share };
