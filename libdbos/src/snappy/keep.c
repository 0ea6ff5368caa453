// SPDX-License-Identifier: BSD-2-Clause
/*
 * Pages that the host is writing at the cut: see keep.h. Each of them was made writable before its
 * call began, so its parent had it alone then, and has it still: what was cut since had its copies.
 */
#include <errno.h>

#include "snappy/engine.h"
#include "snappy/keep.h"

/* What *word, for the 2 MiB of @va, leads to becomes a table of this epoch, unless it is one. */
static uint64_t *own_entries(struct snappy *snappy, uint64_t *word, uint64_t va)
{
	uint64_t old = machine_load(word), gpa;

	if (!entry_is_table(old) ||
	    machine_load(&life_of(&snappy->lives, old & DBOS_PTE_ADDR)->birth) < snappy->epoch) {
		gpa = snappy_new_table(snappy, 1, snappy->epoch);
		if (!gpa)
			return NULL;
		snappy_fill_table(snappy, gpa, old, va & ~(SNAPPY_RANGE - 1));
		life_of(&snappy->lives, gpa)->generation = LIFE_FLUSHED;
		old = gpa | ENTRY_TABLE | DBOS_PTE_W;
		machine_store(word, old);
	}
	return frames_memory(snappy->pool, old & DBOS_PTE_ADDR);
}

/*
 * The parent's table is shared as any other, for the sake of its other pages; but a leaf has one
 * birth for all of its pages, which ends here.
 */
static uint64_t *entries_of_parent(struct snappy *snappy, uint64_t *word, uint64_t va)
{
	uint64_t old = machine_load(word);

	if (!entry_is_table(old))
		return own_entries(snappy, word, va);
	return frames_memory(snappy->pool, old & DBOS_PTE_ADDR);
}

static int keep_page(struct snappy *snappy, struct branch *parent, struct branch *child,
		     uint64_t va)
{
	uint64_t *word = snappy_pde(snappy, parent, va), *entries, *childs;
	uint64_t i = va / FRAME_SIZE % TABLE_ENTRIES, entry, page;

	if (!word || !(machine_load(word) & DBOS_PTE_P))
		return 0;
	entries = entries_of_parent(snappy, word, va);
	childs = own_entries(snappy, snappy_pde(snappy, child, va), va);
	if (!entries || !childs)
		return -ENOMEM;
	entry = machine_load(&entries[i]);
	/* Two calls may write it. */
	if (!(entry & DBOS_PTE_P) || (entry ^ childs[i]) & DBOS_PTE_ADDR)
		return 0;
	page = snappy_new_page(snappy, snappy->epoch);
	if (!page)
		return -ENOMEM;
	snappy_copy_page(snappy, page, entry & DBOS_PTE_ADDR);
	childs[i] = page | (childs[i] & ~DBOS_PTE_ADDR) | DBOS_PTE_W;
	machine_store(&life_of(&snappy->lives, entry & DBOS_PTE_ADDR)->birth, snappy->epoch);
	/* Only its processor's flags change meanwhile. */
	while (!machine_cas(&entries[i], &entry, entry | DBOS_PTE_W))
		;
	snappy->counters.kept++;
	return 0;
}

static int keep_piece(struct snappy *snappy, struct branch *parent, struct branch *child,
		      const struct inflight_piece *piece)
{
	uint64_t va = piece->va & ~(FRAME_SIZE - 1ull), end = piece->va + piece->length;
	int ret = 0;

	for (; piece->write && !ret && va < end; va += FRAME_SIZE) {
		if (snappy_is_member(snappy, va))
			ret = keep_page(snappy, parent, child, va);
	}
	return ret;
}

/* Notes stay what they are in a stopped world: see inflight.h. */
int keep_written_pages(struct snappy *snappy, struct branch *parent, struct branch *child)
{
	uint64_t limit = machine_load(&snappy->cpus->limit);
	int ret = 0;

	for (uint64_t i = 0; !ret && i < limit; i++) {
		const struct inflight *inflight = &snappy->inflights->cpu[i];
		uint64_t count = machine_load(&inflight->count);

		if (!count || inflight->root != parent->table.root)
			continue;
		for (uint64_t k = 0; !ret && k < count; k++)
			ret = keep_piece(snappy, parent, child, inflight_at(inflight, k));
	}
	return ret;
}

int keep_members(struct snappy *snappy, struct branch *parent, struct branch *child)
{
	int ret = 0;

	if (parent != &snappy->own)
		return 0;
	for (uint64_t i = 0; !ret && i < snappy->member_count; i++) {
		const struct member *member = &snappy->member[i];

		if (!member->kept)
			continue;
		for (uint64_t va = member->va; !ret && va < member->end; va += FRAME_SIZE)
			ret = keep_page(snappy, parent, child, va);
	}
	return ret;
}
