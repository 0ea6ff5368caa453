// SPDX-License-Identifier: BSD-2-Clause
/* Roots, look-ups and walks: see compat/vm.h. */
#include <errno.h>

#include "compat/vm.h"
#include "mm/cover.h"

/* Walks of more than this see leaves as they are: to split all of them takes too many tables. */
#define SPLIT_MAX (64ull << 30)

physaddr_t dune_root_to_pa(unsigned long root)
{
	const struct dbos *dbos = dbos_instance();
	uint64_t offset = PTE_ADDR(root) - (uint64_t)dbos->frames.memory;

	if (offset < (uint64_t)dbos->frames.count * FRAME_SIZE)
		return (dbos->frames.gpa + offset) | PTE_FLAGS(root);
	return root;
}

uintptr_t dune_va_to_pa(void *ptr)
{
	uintptr_t pa = dbos_gpa(dbos_instance(), ptr);

	return !pa && pool_has_frame((uintptr_t)ptr) ? (uintptr_t)ptr : pa;
}

int vm_table(ptent_t *root, const void *va, size_t len, struct table *table)
{
	struct dbos *dbos = dbos_instance();

	if (!dbos)
		return -EINVAL;
	if (in_signal_handler())
		return -EDEADLK;
	*table = dbos->table;
	table->root = dune_root_to_pa((unsigned long)root);
	if (!pool_has_frame(table->root) || table->root % FRAME_SIZE)
		return -EINVAL;
	/*
	 * What the process has there comes into reach first; where it has nothing, entries are all
	 * there is. From now on the host's addresses may not be the guest's.
	 */
	if (table->root == dbos->table.root && len)
		(void)!cover(dbos, (uint64_t)va, len);
	__atomic_store_n(&dbos->table_edited, true, __ATOMIC_RELAXED);
	return 0;
}

int vm_loaded(struct table *table)
{
	ptent_t *root = cpu_in_guest() ? (ptent_t *)PTE_ADDR(dbos_read_cr3()) : pgroot;

	return vm_table(root, NULL, 0, table);
}

int vm_leaf(const struct table *table, uint64_t va, bool split, unsigned int *level,
	    uint64_t *value)
{
	struct table_entry entry;
	int ret;

	for (;;) {
		*value = table_lookup(table, va, level);
		if (*level == 1 || !split || !(*value & PTE_P) || *value & PTE_MADE)
			return 0;
		ret = table_lock(table, va, 1, &entry);
		if (ret)
			return ret;
		table_unlock(&entry, entry.value);
	}
}

int vm_walk(const struct table *table, uint64_t first, uint64_t last, bool split, vm_entry_fn fn,
	    void *arg)
{
	uint64_t va = PGADDR(first);

	if (last > (uint64_t)VA_END)
		last = (uint64_t)VA_END;
	while (va <= last) {
		unsigned int level;
		uint64_t value, size;
		int ret = vm_leaf(table, va, split, &level, &value);

		if (ret)
			return ret;
		size = level_size(level);
		va &= ~(size - 1);
		if (value)
			ret = fn(arg, table, va, level);
		if (ret)
			return ret;
		va += size;
	}
	return 0;
}

/* The entry itself: it is locked and unlocked, which finds it and changes nothing. */
static int find_entry(const struct table *table, uint64_t va, unsigned int level, ptent_t **word)
{
	struct table_entry entry;
	int ret = table_lock(table, va, level, &entry);

	if (ret)
		return ret;
	table_unlock(&entry, entry.value);
	*word = entry.word;
	return 0;
}

int dune_vm_lookup(ptent_t *root, void *va, int create, ptent_t **pte_out)
{
	static const unsigned int level_of[] = {
		[CREATE_NORMAL] = 1, [CREATE_BIG] = 2, [CREATE_BIG_1GB] = 3,
	};
	struct table table;
	unsigned int level;
	uint64_t value;
	int ret;

	if (create < CREATE_NONE || create > CREATE_BIG_1GB)
		return -EINVAL;
	ret = vm_table(root, va, 1, &table);
	if (!ret)
		ret = vm_leaf(&table, (uint64_t)va, create <= CREATE_NORMAL, &level, &value);
	if (ret)
		return ret;
	if (!(value & PTE_MADE) && level > 1) {
		if (create == CREATE_NONE)
			return -ENOENT;
		level = level_of[create];
	}
	return find_entry(&table, (uint64_t)va, level, pte_out);
}

struct program_walk {
	page_walk_cb cb;
	const void *arg;
};

static int call_program(void *arg, const struct table *table, uint64_t va, unsigned int level)
{
	const struct program_walk *walk = arg;
	ptent_t *word;
	int ret = find_entry(table, va, level, &word);

	return ret ? ret : walk->cb(walk->arg, word, (void *)va);
}

int dune_vm_page_walk(ptent_t *root, void *start_va, void *end_va, page_walk_cb cb,
		      const void *arg)
{
	uint64_t first = (uint64_t)start_va, last = (uint64_t)end_va;
	struct program_walk walk = { cb, arg };
	bool split = last - first < SPLIT_MAX;
	struct table table;
	int ret;

	if (first > last)
		return -EINVAL;
	ret = vm_table(root, start_va, split ? last - first + 1 : 0, &table);
	return ret ? ret : vm_walk(&table, first, last, split, call_program, &walk);
}
