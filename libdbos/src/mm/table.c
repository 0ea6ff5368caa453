// SPDX-License-Identifier: BSD-2-Clause
/* The page-table walker, and the lock of entries: see table.h. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "mm/table.h"

/* A table's own entry has every right: leaves decide. */
#define TABLE (DBOS_PTE_P | DBOS_PTE_W | DBOS_PTE_U)

_Static_assert(TABLE_LEVELS == FRAMES_LEVELS, "a list for the tables of each level");

#define FLAGS_OF_PROCESSOR (DBOS_PTE_A | DBOS_PTE_D)

static bool is_table(uint64_t entry)
{
	return entry & DBOS_PTE_P && !(entry & DBOS_PTE_PS);
}

static uint64_t *entry_of(const struct table *table, uint64_t gpa, uint64_t va, unsigned int level)
{
	uint64_t *entries = frames_memory(table->frames, gpa & DBOS_PTE_ADDR);

	return &entries[va / level_size(level) % TABLE_ENTRIES];
}

int table_create(struct table *table, struct frames *frames, struct cpus *cpus)
{
	table->frames = frames;
	table->cpus = cpus;
	table->copies = NULL;
	table->root = frames_alloc_table(frames, TABLE_LEVELS);
	if (!table->root)
		return -ENOMEM;
	memset(frames_memory(frames, table->root), 0, FRAME_SIZE);
	return 0;
}

/*
 * As far down as there are tables, but not below *level, which becomes the level it got to. *value
 * is what made it stop there, with the right to write that the way there left: the word may say
 * something else by now.
 */
static uint64_t *descend(const struct table *table, uint64_t va, unsigned int *level,
			 uint64_t *value)
{
	unsigned int lowest = *level;
	uint64_t refused = 0, *word;

	*value = table->root;
	for (*level = TABLE_LEVELS;; --*level) {
		word = entry_of(table, *value, va, *level);
		*value = machine_load(word);
		if (*level == lowest || !is_table(*value))
			break;
		refused |= ~*value & DBOS_PTE_W;
	}
	*value &= ~refused;
	return word;
}

uint64_t table_lookup(const struct table *table, uint64_t va, unsigned int *level)
{
	uint64_t irqs = machine_irqs_off();
	uint64_t value;

	*level = 1;
	descend(table, va, level, &value);
	machine_irqs_restore(irqs);
	return value & ~DBOS_PTE_LOCK;
}

/* In @entries what one level up is the one leaf @leaf, or nothing. */
static void fill(uint64_t *entries, uint64_t leaf, unsigned int level)
{
	uint64_t flags = leaf & ~DBOS_PTE_ADDR;

	/* The bit that says "leaf" above is one of caching down here. */
	if (level == 1)
		flags &= ~DBOS_PTE_PS;
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++)
		entries[i] = leaf & DBOS_PTE_P ?
			((leaf & DBOS_PTE_ADDR) + i * level_size(level)) | flags : 0;
}

enum outcome { DONE, AGAIN, IN_USE, IS_TABLE };

/*
 * Puts the table at @gpa in place of what *word, of @level, is now. Others may be translating
 * through it: they see the leaf or the full table, and either translates alike, so nobody has to
 * flush. But the processor may set A or D in the leaf until the very moment, hence the comparison.
 */
static enum outcome split(const struct table *table, uint64_t *word, unsigned int level,
			  uint64_t gpa)
{
	uint64_t old = machine_load(word);

	if (is_table(old))
		return AGAIN;
	if (old & DBOS_PTE_LOCK)
		return IN_USE;
	fill(frames_memory(table->frames, gpa), old, level - 1);
	return machine_cas(word, &old, gpa | TABLE) ? DONE : AGAIN;
}

/* An entry that names a table is never locked: table_collapse() changes it without. */
static enum outcome lock(uint64_t *word, unsigned int level, struct table_entry *entry)
{
	uint64_t old = machine_load(word);

	if (level > 1 && is_table(old))
		return IS_TABLE;
	if (old & DBOS_PTE_LOCK)
		return IN_USE;
	if (!machine_cas(word, &old, old | DBOS_PTE_LOCK))
		return AGAIN;
	entry->word = word;
	entry->value = old;
	return DONE;
}

/* A frame for a table of @level or above; 0: none yet. */
struct spare {
	uint64_t gpa;
	unsigned int level;
};

/*
 * One attempt, interrupts off. A spare frame is used up if it is needed; DONE without entry->word:
 * one is needed, for spare->level.
 */
static enum outcome try_lock(const struct table *table, uint64_t va, unsigned int level,
			     struct table_entry *entry, struct spare *spare)
{
	unsigned int found = level;
	uint64_t value;
	uint64_t *word = descend(table, va, &found, &value);
	enum outcome outcome;

	if (found == level)
		return lock(word, level, entry);
	if (!spare->gpa || spare->level > found - 1) {
		spare->level = found - 1;
		return DONE;
	}
	outcome = split(table, word, found, spare->gpa);
	if (outcome != DONE)
		return outcome;
	spare->gpa = 0;
	return AGAIN;
}

/* Between two attempts interrupts are as the caller had them, and this vCPU catches up. */
static void let_others(const struct table *table)
{
	struct cpu *self = cpus_self(table->cpus);

	if (self)
		tlb_catch_up(table->cpus, self);
	machine_pause();
}

/* Instead of one that does for higher levels only, if there was one. */
static int get_spare(const struct table *table, struct spare *spare)
{
	if (spare->gpa)
		frames_free(table->frames, spare->gpa);
	spare->gpa = frames_alloc_table(table->frames, spare->level);
	return spare->gpa ? 0 : -ENOMEM;
}

int table_lock(const struct table *table, uint64_t va, unsigned int level,
	       struct table_entry *entry)
{
	struct spare spare = { 0 };
	int ret = 0;

	entry->word = NULL;
	while (!ret) {
		enum outcome outcome;

		entry->irqs = machine_irqs_off();
		outcome = try_lock(table, va, level, entry, &spare);
		if (entry->word)
			break;
		machine_irqs_restore(entry->irqs);
		if (outcome == IN_USE)
			let_others(table);
		/* Not under a walk: an allocation may wait for other vCPUs. */
		if (outcome == DONE)
			ret = get_spare(table, &spare);
		if (outcome == IS_TABLE)
			ret = -EEXIST;
	}
	if (spare.gpa)
		frames_free(table->frames, spare.gpa);
	return ret;
}

uint64_t table_unlock(struct table_entry *entry, uint64_t value)
{
	uint64_t old = machine_load(entry->word);
	uint64_t new;

	do {
		new = value & ~DBOS_PTE_LOCK;
		if (new & old & DBOS_PTE_P && !((new ^ old) & DBOS_PTE_ADDR))
			new |= old & FLAGS_OF_PROCESSOR;
	} while (!machine_cas(entry->word, &old, new));
	machine_irqs_restore(entry->irqs);
	return old & ~DBOS_PTE_LOCK;
}
