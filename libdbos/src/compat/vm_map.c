// SPDX-License-Identifier: BSD-2-Clause
/* Changes of what an address space maps, and with what rights: <dune/vm.h>. */
#include <errno.h>
#include <string.h>

#include "compat/vm.h"

/* What mprotect leaves alone. */
#define KEPT (DBOS_PTE_ADDR | PTE_A | PTE_D | PTE_PS | PTE_MADE)

uint64_t vm_bits(int perm)
{
	static const struct {
		int perm;
		uint64_t bits;
	} of[] = {
		{ PERM_R, PTE_P },	 { PERM_W, PTE_W },	  { PERM_U, PTE_U },
		{ PERM_UC, PTE_PCD },	 { PERM_COW, PTE_COW },	  { PERM_USR1, PTE_USR1 },
		{ PERM_USR2, PTE_USR2 }, { PERM_USR3, PTE_USR3 },
	};
	uint64_t bits = perm & PERM_X ? 0 : PTE_NX;

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		if (perm & of[i].perm)
			bits |= of[i].bits;
	}
	return bits;
}

bool vm_holds_page(uint64_t va, uint64_t value)
{
	uint64_t pa = PTE_ADDR(value);

	return pa && dune_page_isfrompool(pa) && pa != va &&
	       pa != dbos_gpa(dbos_instance(), (void *)va);
}

static unsigned int level_of(int perm)
{
	if (perm & PERM_BIG_1GB)
		return 3;
	return perm & PERM_BIG ? 2 : 1;
}

/* Whole leaves of that size, which the CPU has. */
static int check(uint64_t addresses, int perm)
{
	const struct dbos *dbos = dbos_instance();
	unsigned int level = level_of(perm);

	if (!dbos || !(perm & PERM_R) || addresses % level_size(level))
		return -EINVAL;
	return level == 3 && !dbos->gigabyte_pages ? -EINVAL : 0;
}

static void put_what_was(uint64_t va, unsigned int level, uint64_t old)
{
	if (level == 1 && vm_holds_page(va, old))
		dune_page_put(dune_pa2page(PTE_ADDR(old)));
}

static int replace(const struct table *table, uint64_t va, unsigned int level, uint64_t value)
{
	struct table_entry entry;
	int ret = table_lock(table, va, level, &entry);

	if (ret)
		return ret;
	put_what_was(va, level, table_unlock(&entry, value));
	return 0;
}

static void flush(const void *va, size_t len)
{
	dbos_flush(dbos_instance(), va, (len + PGMASK) / PGSIZE, DBOS_FLUSH_SYNC, NULL);
}

int dune_vm_map_phys(ptent_t *root, void *va, size_t len, void *pa, int perm)
{
	unsigned int level = level_of(perm);
	uint64_t bits = vm_bits(perm) | (level > 1 ? PTE_PS | PTE_MADE : 0);
	struct table table;
	int ret = check((uint64_t)va | len | (uint64_t)pa, perm);

	if (!ret)
		ret = vm_table(root, va, len, &table);
	if (ret)
		return ret;
	for (uint64_t at = 0; !ret && at < len; at += level_size(level))
		ret = replace(&table, (uint64_t)va + at, level, ((uint64_t)pa + at) | bits);
	flush(va, len);
	return ret;
}

/* The reference that the entry holds is the one that comes with the page. */
static int map_fresh_page(const struct table *table, uint64_t va, uint64_t bits)
{
	struct page *pg = dune_page_alloc();
	int ret;

	if (!pg)
		return -ENOMEM;
	memset(dune_page2va(pg), 0, PGSIZE);
	ret = replace(table, va, 1, dune_page2pa(pg) | bits);
	if (ret)
		dune_page_put(pg);
	return ret;
}

int dune_vm_map_pages(ptent_t *root, void *va, size_t len, int perm)
{
	struct table table;
	int ret = check((uint64_t)va | len, perm);

	if (!ret && level_of(perm) > 1)
		ret = -EINVAL;
	if (!ret)
		ret = vm_table(root, va, len, &table);
	if (ret)
		return ret;
	for (uint64_t at = 0; !ret && at < len; at += PGSIZE)
		ret = map_fresh_page(&table, (uint64_t)va + at, vm_bits(perm));
	flush(va, len);
	return ret;
}

int dune_vm_insert_page(ptent_t *root, void *va, struct page *pg, int perm)
{
	struct table table;
	int ret = check(PGADDR(va), perm);

	if (!ret && level_of(perm) > 1)
		ret = -EINVAL;
	if (!ret)
		ret = vm_table(root, va, 1, &table);
	if (ret)
		return ret;
	ret = replace(&table, PGADDR(va), 1, dune_page2pa(dune_page_get(pg)) | vm_bits(perm));
	if (ret)
		dune_page_put(pg);
	flush((void *)PGADDR(va), PGSIZE);
	return ret;
}

struct page *dune_vm_lookup_page(ptent_t *root, void *va)
{
	struct table table;
	unsigned int level;
	uint64_t value;

	if (vm_table(root, va, 0, &table))
		return NULL;
	value = table_lookup(&table, (uint64_t)va, &level);
	if (level > 1 || !(value & PTE_P) || !vm_holds_page(PGADDR(va), value))
		return NULL;
	return dune_pa2page(PTE_ADDR(value));
}

/* What a change of a range needs to know; its bits take the place of those that are not kept. */
struct change {
	uint64_t first, last;
	uint64_t kept, bits;
};

static int change_entry(void *arg, const struct table *table, uint64_t va, unsigned int level);

/* Of a leaf that sticks out only the part that is meant. What is not present can't be split. */
static int change_part(struct change *change, const struct table *table, uint64_t va,
		       unsigned int level)
{
	uint64_t end = va + level_size(level) - 1;
	uint64_t first = va > change->first ? va : change->first;
	uint64_t last = end < change->last ? end : change->last;
	struct table_entry entry;
	unsigned int found;
	int ret;

	if (!(table_lookup(table, va, &found) & PTE_P))
		return -EINVAL;
	ret = table_lock(table, first, level - 1, &entry);
	if (ret)
		return ret;
	table_unlock(&entry, entry.value);
	return vm_walk(table, first, last, true, change_entry, change);
}

static int change_entry(void *arg, const struct table *table, uint64_t va, unsigned int level)
{
	struct change *change = arg;
	struct table_entry entry;
	int ret;

	if (level > 1 && (va < change->first || va + level_size(level) - 1 > change->last))
		return change_part(change, table, va, level);
	ret = table_lock(table, va, level, &entry);
	if (ret)
		return ret;
	if (change->kept)
		table_unlock(&entry, (entry.value & change->kept) | change->bits);
	else
		put_what_was(va, level, table_unlock(&entry, 0));
	return 0;
}

static int change_range(ptent_t *root, void *va, size_t len, uint64_t kept, uint64_t bits)
{
	struct change change = {
		.first = PGADDR(va), .last = (uint64_t)va + len - 1, .kept = kept, .bits = bits,
	};
	struct table table;
	int ret;

	if (!len)
		return 0;
	change.last |= PGMASK;
	ret = vm_table(root, va, len, &table);
	if (ret)
		return ret;
	ret = vm_walk(&table, change.first, change.last, true, change_entry, &change);
	flush((void *)change.first, change.last - change.first + 1);
	return ret;
}

int dune_vm_mprotect(ptent_t *root, void *va, size_t len, int perm)
{
	if (!(perm & PERM_R)) {
		if (perm & PERM_W)
			return -EINVAL;
		perm = PERM_NONE;
	}
	return change_range(root, va, len, KEPT, vm_bits(perm));
}

void dune_vm_unmap(ptent_t *root, void *va, size_t len)
{
	change_range(root, va, len, 0, 0);
}
