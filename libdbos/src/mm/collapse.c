// SPDX-License-Identifier: BSD-2-Clause
/* A table of small leaves becomes one large leaf: see table.h. */
#include <errno.h>
#include <stdbool.h>

#include "mm/table.h"

#define FLAGS_OF_PROCESSOR (DBOS_PTE_A | DBOS_PTE_D)

static void unlock_first(uint64_t *entries, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		uint64_t old = machine_load(&entries[i]);

		while (!machine_cas(&entries[i], &old, old & ~DBOS_PTE_LOCK))
			;
	}
}

/* What entry @i must be, but for A and D, if the first of them is @first. All may be nothing. */
static bool continues(uint64_t first, uint64_t entry, unsigned int i, uint64_t step)
{
	return ((first + i * step) & ~FLAGS_OF_PROCESSOR) == (entry & ~FLAGS_OF_PROCESSOR);
}

/* Locks all entries, or none of them. */
static int lock_all(uint64_t *entries, unsigned int level)
{
	uint64_t first = machine_load(&entries[0]) & ~DBOS_PTE_LOCK;
	uint64_t step = first ? level_size(level) : 0;

	if (first && (!(first & DBOS_PTE_P) ||
		      first & DBOS_PTE_ADDR & (level_size(level + 1) - 1) ||
		      (level > 1 && !(first & DBOS_PTE_PS))))
		return -EINVAL;
	for (unsigned int i = 0; i < TABLE_ENTRIES; i++) {
		uint64_t old = machine_load(&entries[i]);
		int ret = 0;

		do {
			if (old & DBOS_PTE_LOCK)
				ret = -EBUSY;
			else if (!continues(first, old, i, step))
				ret = -EINVAL;
		} while (!ret && !machine_cas(&entries[i], &old, old | DBOS_PTE_LOCK));
		if (ret) {
			unlock_first(entries, i);
			return ret;
		}
	}
	return 0;
}

/*
 * The word for @va at @level, if a table hangs there, and that table, by one look: another collapse
 * may be faster, and leaves all entries of what is gone locked. Interrupts are off.
 */
static uint64_t *find_table(const struct table *table, uint64_t va, unsigned int level,
			    uint64_t *gpa)
{
	*gpa = table->root;
	for (unsigned int l = TABLE_LEVELS;; l--) {
		uint64_t *word = (uint64_t *)frames_memory(table->frames, *gpa) +
				 va / level_size(l) % TABLE_ENTRIES;
		uint64_t entry = machine_load(word);

		if (!(entry & DBOS_PTE_P) || entry & DBOS_PTE_PS)
			return NULL;
		*gpa = entry & DBOS_PTE_ADDR;
		if (l == level)
			return word;
	}
}

/*
 * The leaf counts as accessed and dirty: until all vCPUs have flushed, the processor may set the
 * flags of its pages in the table that is gone. The table's own entry may get its A flag from the
 * processor at any moment; nobody else changes it, as we hold all entries below.
 */
static void replace(uint64_t *word, uint64_t leaf)
{
	uint64_t old = machine_load(word);

	if (leaf)
		leaf |= DBOS_PTE_PS | FLAGS_OF_PROCESSOR;
	while (!machine_cas(word, &old, leaf))
		;
}

/*
 * A vCPU on its way in finds the code of its flush by what it remembers from before. So no table
 * that translates it ever goes: another table in its frame would lead elsewhere.
 */
static bool is_way_in(const struct table *table, uint64_t base, unsigned int level)
{
	return table->cpus->flush_code - base < level_size(level);
}

int table_collapse(const struct table *table, uint64_t va, unsigned int level,
		   enum tlb_wait wait)
{
	uint64_t base = va & ~(level_size(level) - 1);
	uint64_t *word, *entries, irqs, gpa, generation;
	int ret = -EINVAL;

	if (is_way_in(table, base, level))
		return -EBUSY;
	irqs = machine_irqs_off();
	word = find_table(table, va, level, &gpa);
	if (!word)
		goto restore;
	ret = -EBUSY;
	if (table->copies && machine_load(table->copies))
		goto restore;
	entries = frames_memory(table->frames, gpa);
	ret = lock_all(entries, level - 1);
	if (ret)
		goto restore;
	replace(word, machine_load(&entries[0]) & ~DBOS_PTE_LOCK);
	/*
	 * All of it, whatever its size: the small translations are as good as the large one, but
	 * whoever changes that one flushes it as one page.
	 */
	generation = tlb_flush(table->cpus, base, TLB_ALL_PAGES, wait);
	frames_retire_table(table->frames, gpa, level - 1, generation);
restore:
	machine_irqs_restore(irqs);
	return ret;
}
