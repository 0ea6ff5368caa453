// SPDX-License-Identifier: BSD-2-Clause
/* Address spaces beside the process's own: copies of tables, and their end. */
#include <string.h>

#include "compat/vm.h"

static bool is_table(uint64_t entry, unsigned int level)
{
	return level > 1 && entry & PTE_P && !(entry & PTE_PS);
}

/* @to is zero, so that what there is of it can be freed at any moment. */
static bool copy_table(struct dbos *dbos, const uint64_t *from, uint64_t *to, unsigned int level,
		       uint64_t va)
{
	for (uint64_t i = 0; i < TABLE_ENTRIES; i++, va += level_size(level)) {
		uint64_t value = __atomic_load_n(&from[i], __ATOMIC_RELAXED) & ~DBOS_PTE_LOCK;
		uint64_t gpa;

		if (!is_table(value, level)) {
			if (level == 1 && vm_holds_page(va, value))
				dune_page_get(dune_pa2page(PTE_ADDR(value)));
			to[i] = value;
			continue;
		}
		gpa = frames_alloc_table(&dbos->frames, level - 1);
		if (!gpa)
			return false;
		memset(frames_memory(&dbos->frames, gpa), 0, FRAME_SIZE);
		to[i] = gpa | PTE_FLAGS(value);
		if (!copy_table(dbos, frames_memory(&dbos->frames, PTE_ADDR(value)),
				frames_memory(&dbos->frames, gpa), level - 1, va))
			return false;
	}
	return true;
}

ptent_t *dune_vm_clone(ptent_t *root)
{
	struct dbos *dbos = dbos_instance();
	struct table from, to;
	ptent_t *copy;

	if (vm_table(root, NULL, 0, &from) || table_create(&to, &dbos->frames, &dbos->cpus))
		return NULL;
	copy = frames_memory(&dbos->frames, to.root);
	if (copy_table(dbos, frames_memory(&dbos->frames, from.root), copy, TABLE_LEVELS, 0))
		return copy;
	dune_vm_free(copy);
	return NULL;
}

static void free_table(struct dbos *dbos, uint64_t gpa, unsigned int level, uint64_t va,
		       uint64_t generation)
{
	const uint64_t *entries = frames_memory(&dbos->frames, gpa);

	for (uint64_t i = 0; i < TABLE_ENTRIES; i++, va += level_size(level)) {
		if (is_table(entries[i], level))
			free_table(dbos, PTE_ADDR(entries[i]), level - 1, va, generation);
		else if (level == 1 && vm_holds_page(va, entries[i]))
			dune_page_put(dune_pa2page(PTE_ADDR(entries[i])));
	}
	frames_retire_table(&dbos->frames, gpa, level, generation);
}

/* Whoever had it loaded has loaded another since, but other vCPUs may not know of it yet. */
void dune_vm_free(ptent_t *root)
{
	struct dbos *dbos = dbos_instance();
	struct table table;
	uint64_t generation;

	if (vm_table(root, NULL, 0, &table) || table.root == dbos->table.root)
		return;
	if (dbos_flush(dbos, NULL, DBOS_ALL_PAGES, DBOS_FLUSH_LAZY, &generation) == 0)
		free_table(dbos, table.root, TABLE_LEVELS, 0, generation);
}
