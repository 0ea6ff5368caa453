// SPDX-License-Identifier: BSD-2-Clause
#include <string.h>

#include "snappy/engine.h"

/*
 * Of 2 MiB as one leaf, the 512 that make it up: the bit that says so is one of caching there. A
 * leaf is a member's as a whole (members.c).
 */
static void fill_from_leaf(uint64_t *entries, uint64_t leaf)
{
	uint64_t flags = leaf & ~(DBOS_PTE_ADDR | DBOS_PTE_PS | DBOS_PTE_W | DBOS_PTE_LOCK);

	for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
		entries[i] = ((leaf & DBOS_PTE_ADDR) + i * FRAME_SIZE) | flags;
}

static void take(uint64_t *entry, uint64_t bits)
{
	*entry &= ~bits;
}

/*
 * Nobody changes an entry of a table that is shared, but the processor its flags A and D, which may
 * be lost here: a page that was accessed may look as if it were not.
 */
void snappy_fill_table(struct snappy *snappy, uint64_t gpa, uint64_t from, uint64_t range)
{
	if (entry_is_table(from))
		snappy_copy_table(snappy, gpa, from, range, DBOS_PTE_W | DBOS_PTE_LOCK);
	else
		fill_from_leaf(frames_memory(snappy->pool, gpa), from);
}

void snappy_copy_table(struct snappy *snappy, uint64_t gpa, uint64_t from, uint64_t range,
		       uint64_t had)
{
	uint64_t *entries = frames_memory(snappy->pool, gpa);
	struct span span = { 0, 0 };

	memcpy(entries, frames_memory(snappy->pool, from & DBOS_PTE_ADDR), FRAME_SIZE);
	while (had & (DBOS_PTE_W | DBOS_PTE_LOCK) && snappy_next_span(snappy, range, &span))
		entries_change(entries, span, DBOS_PTE_W | DBOS_PTE_LOCK, take);
}

static void take_right(uint64_t *entry, uint64_t bits)
{
	uint64_t old = machine_load(entry);

	while (old & bits && !machine_cas(entry, &old, old & ~bits))
		;
}

/* Entries may be locked by others, and get their flags from the processor, at any moment. */
uint64_t snappy_forbid_writing(struct snappy *snappy, uint64_t entry, uint64_t range)
{
	uint64_t *entries = frames_memory(snappy->pool, entry & DBOS_PTE_ADDR), had = 0;
	struct span span = { 0, 0 };

	while (snappy_next_span(snappy, range, &span))
		had |= entries_change(entries, span, DBOS_PTE_W, take_right);
	return had;
}

void snappy_copy_page(struct snappy *snappy, uint64_t to, uint64_t from)
{
	memcpy(life_memory(&snappy->lives, to), life_memory(&snappy->lives, from), FRAME_SIZE);
}
