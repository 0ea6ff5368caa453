// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "snappy/engine.h"

/* Of 2 MiB as one leaf, the 512 that make it up: the bit that says so is one of caching there. */
static void fill_from_leaf(uint64_t *entries, uint64_t leaf)
{
	uint64_t flags = leaf & ~(DBOS_PTE_ADDR | DBOS_PTE_PS | DBOS_PTE_W | DBOS_PTE_LOCK);

	for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
		entries[i] = ((leaf & DBOS_PTE_ADDR) + i * FRAME_SIZE) | flags;
}

static void take_rights(uint64_t *entries)
{
	for (unsigned int i = 0; i < ENTRIES_AT_ONCE; i++)
		entries[i] &= ~(DBOS_PTE_W | DBOS_PTE_LOCK);
}

/*
 * Nobody changes an entry of a table that is shared, but the processor its flags A and D, which may
 * be lost here: a page that was accessed may look as if it were not.
 */
void snappy_fill_table(struct snappy *snappy, uint64_t gpa, uint64_t from)
{
	uint64_t *entries = frames_memory(snappy->pool, gpa);

	if (!entry_is_table(from)) {
		fill_from_leaf(entries, from);
		return;
	}
	memcpy(entries, frames_memory(snappy->pool, from & DBOS_PTE_ADDR), FRAME_SIZE);
	for (unsigned int i = 0; i < TABLE_ENTRIES; i += ENTRIES_AT_ONCE) {
		if (entries_have(&entries[i], DBOS_PTE_W | DBOS_PTE_LOCK))
			take_rights(&entries[i]);
	}
}

static void take_right(uint64_t *entry)
{
	uint64_t old = machine_load(entry);

	while (old & DBOS_PTE_W && !machine_cas(entry, &old, old & ~DBOS_PTE_W))
		;
}

/* Entries may be locked by others, and get their flags from the processor, at any moment. */
void snappy_forbid_writing(struct snappy *snappy, uint64_t entry)
{
	uint64_t *entries = frames_memory(snappy->pool, entry & DBOS_PTE_ADDR);

	for (unsigned int i = 0; i < TABLE_ENTRIES; i += ENTRIES_AT_ONCE) {
		if (!entries_have(&entries[i], DBOS_PTE_W))
			continue;
		for (unsigned int k = 0; k < ENTRIES_AT_ONCE; k++)
			take_right(&entries[i + k]);
	}
}

void snappy_copy_page(struct snappy *snappy, uint64_t to, uint64_t from)
{
	memcpy(life_memory(&snappy->lives, to), life_memory(&snappy->lives, from), FRAME_SIZE);
}
