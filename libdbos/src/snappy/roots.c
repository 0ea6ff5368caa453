// SPDX-License-Identifier: BSD-2-Clause
/*
 * The upper levels of a branch's page table. Where members are they are its own, down to the page
 * directories; elsewhere they are the parent's, so what the process maps there later is seen too.
 */
#include <errno.h>
#include <string.h>

#include "snappy/engine.h"

#define LEVEL_PDE 2

/* In a PML4E or PDPTE: the table is this branch's alone. Processors ignore the bit. */
#define ENTRY_OWN (1ull << 9)

static uint64_t *word_of(const struct snappy *snappy, uint64_t table, uint64_t va,
			 unsigned int level)
{
	return (uint64_t *)frames_memory(snappy->pool, table) +
	       va / level_size(level) % TABLE_ENTRIES;
}

uint64_t *snappy_pde(const struct snappy *snappy, const struct branch *branch, uint64_t va)
{
	uint64_t table = branch->table.root;

	for (unsigned int level = TABLE_LEVELS; level > LEVEL_PDE; level--) {
		uint64_t entry = machine_load(word_of(snappy, table, va, level));

		if (!entry_is_table(entry))
			return NULL;
		table = entry & DBOS_PTE_ADDR;
	}
	return word_of(snappy, table, va, LEVEL_PDE);
}

/* The world is stopped: only flags of the processor change in what is copied. */
static uint64_t copy_table(struct snappy *snappy, uint64_t from, unsigned int level)
{
	uint64_t gpa = snappy_new_table(snappy, level, 0), *to;

	if (!gpa)
		return 0;
	to = frames_memory(snappy->pool, gpa);
	memcpy(to, frames_memory(snappy->pool, from), FRAME_SIZE);
	for (unsigned int i = 0; level > LEVEL_PDE && i < TABLE_ENTRIES; i++) {
		if (to[i] & ENTRY_OWN)
			to[i] &= ~ENTRY_OWN;
	}
	return gpa;
}

/* The table below *word, which the parent has yet, becomes the child's own. */
static int own_table(struct snappy *snappy, uint64_t *word, unsigned int level)
{
	uint64_t gpa;

	if (*word & ENTRY_OWN)
		return 0;
	gpa = copy_table(snappy, *word & DBOS_PTE_ADDR, level);
	if (!gpa)
		return -ENOMEM;
	*word = (*word & ~DBOS_PTE_ADDR) | gpa | ENTRY_OWN;
	return 0;
}

/*
 * What the process's table has been given or split since the branch was cut is taken over: it is no
 * member's.
 */
static void take_table(struct snappy *snappy, uint64_t *word, uint64_t va, unsigned int level)
{
	uint64_t table = snappy->own.table.root;

	if (entry_is_table(*word))
		return;
	for (unsigned int above = TABLE_LEVELS; above > level; above--)
		table = machine_load(word_of(snappy, table, va, above)) & DBOS_PTE_ADDR;
	machine_store(word, machine_load(word_of(snappy, table, va, level)));
}

int snappy_own_path(struct snappy *snappy, struct branch *branch, uint64_t va)
{
	uint64_t *word = word_of(snappy, branch->table.root, va, 4);
	int ret;

	take_table(snappy, word, va, 4);
	ret = own_table(snappy, word, 3);
	if (ret)
		return ret;
	word = word_of(snappy, *word & DBOS_PTE_ADDR, va, 3);
	take_table(snappy, word, va, 3);
	return own_table(snappy, word, 2);
}

/* One page directory is 1 GiB. */
int snappy_copy_root(struct snappy *snappy, const struct branch *parent, struct branch *child)
{
	int ret = 0;

	child->table = parent->table;
	child->table.root = copy_table(snappy, parent->table.root, TABLE_LEVELS);
	if (!child->table.root)
		return -ENOMEM;
	for (uint64_t i = 0; !ret && i < snappy->run_count; i++) {
		const struct member *run = &snappy->run[i];
		uint64_t step = level_size(3);

		for (uint64_t va = run->va & ~(step - 1); !ret && va < run->end; va += step)
			ret = snappy_own_path(snappy, child, va);
	}
	if (ret)
		snappy_free_root(snappy, child);
	return ret;
}

/* Entries of one page directory. */
static void refresh_range(uint64_t *to, const uint64_t *from, uint64_t va, uint64_t end)
{
	for (; va < end; va += SNAPPY_RANGE)
		to[va / SNAPPY_RANGE % TABLE_ENTRIES] = from[va / SNAPPY_RANGE % TABLE_ENTRIES];
}

static void refresh_directory(const struct snappy *snappy, uint64_t *to, const uint64_t *from,
			      uint64_t va)
{
	uint64_t end = va + level_size(LEVEL_PDE + 1);

	for (uint64_t i = 0; i < snappy->run_count && va < end; i++) {
		const struct member *run = &snappy->run[i];

		refresh_range(to, from, va, run->va < end ? run->va : end);
		if (run->end > va)
			va = run->end;
	}
	refresh_range(to, from, va, end);
}

/* From @va on, the table at @gpa, which is the branch's own, and the process's there. */
static void refresh_table(const struct snappy *snappy, uint64_t gpa, uint64_t processes,
			  uint64_t va, unsigned int level)
{
	uint64_t *to = frames_memory(snappy->pool, gpa);
	const uint64_t *from = frames_memory(snappy->pool, processes);

	if (level == LEVEL_PDE) {
		refresh_directory(snappy, to, from, va);
		return;
	}
	for (unsigned int i = 0; i < TABLE_ENTRIES; i++, va += level_size(level)) {
		if (to[i] & ENTRY_OWN)
			refresh_table(snappy, to[i] & DBOS_PTE_ADDR, from[i] & DBOS_PTE_ADDR, va,
				      level - 1);
		else
			to[i] = from[i];
	}
}

/* The world is stopped, as for a copy. */
void snappy_refresh_root(struct snappy *snappy, const struct branch *branch)
{
	refresh_table(snappy, branch->table.root, snappy->own.table.root, 0, TABLE_LEVELS);
}

/*
 * Two vCPUs may do it at once: with the same value. A table that is not the branch's own is the
 * process's, so what is below is there. What a member has and the branch has not came after it
 * (join.c).
 */
bool snappy_take_entry(struct snappy *snappy, struct branch *branch, uint64_t va)
{
	uint64_t table = branch->table.root, from = snappy->own.table.root;

	for (unsigned int level = TABLE_LEVELS; level >= LEVEL_PDE; level--) {
		uint64_t *word = word_of(snappy, table, va, level);
		uint64_t entry = machine_load(word);
		uint64_t there = machine_load(word_of(snappy, from, va, level));

		if (level == LEVEL_PDE && snappy_touches(snappy, va, 1))
			return false;
		if (!(entry & DBOS_PTE_P) && there & DBOS_PTE_P) {
			machine_store(word, there);
			return true;
		}
		if (!(entry & ENTRY_OWN))
			return false;
		table = entry & DBOS_PTE_ADDR;
		from = there & DBOS_PTE_ADDR;
	}
	return false;
}

static void free_table(struct snappy *snappy, uint64_t gpa, unsigned int level)
{
	const uint64_t *entries = frames_memory(snappy->pool, gpa);

	for (unsigned int i = 0; level > LEVEL_PDE && i < TABLE_ENTRIES; i++) {
		if (entries[i] & ENTRY_OWN)
			free_table(snappy, entries[i] & DBOS_PTE_ADDR, level - 1);
	}
	snappy_drop(snappy, gpa);
}

void snappy_free_root(struct snappy *snappy, struct branch *branch)
{
	free_table(snappy, branch->table.root, TABLE_LEVELS);
}
