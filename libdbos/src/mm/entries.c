// SPDX-License-Identifier: BSD-2-Clause
/* The public side of page-table entries: <dbos/mm.h>. */
#include <errno.h>

#include <dbos/mm.h>

#include "dbos_internal.h"
#include "mm/cover.h"

/* 0: no size of a leaf. */
static unsigned int level_of(const struct dbos *dbos, size_t size)
{
	switch (size) {
	case DBOS_PAGE_SIZE:
		return 1;
	case DBOS_HUGE_SIZE:
		return 2;
	case DBOS_GIGANTIC_SIZE:
		return dbos->gigabyte_pages ? 3 : 0;
	default:
		return 0;
	}
}

/* From here on what the guest sees may not be what the host finds at the same address. */
static int lock(struct dbos *dbos, const void *va, unsigned int level, struct table_entry *entry)
{
	int ret;

	if (!level)
		return -EINVAL;
	if (in_signal_handler())
		return -EDEADLK;
	ret = cover(dbos, (uint64_t)va, 1);
	if (ret)
		return ret;
	__atomic_store_n(&dbos->table_edited, true, __ATOMIC_RELAXED);
	return table_lock(&dbos->table, (uint64_t)va, level, entry);
}

int dbos_pte(struct dbos *dbos, const void *va, volatile dbos_pte_t **pte)
{
	struct table_entry entry;
	int ret = lock(dbos, va, 1, &entry);

	if (ret)
		return ret;
	table_unlock(&entry, entry.value);
	*pte = entry.word;
	return 0;
}

int dbos_pte_lock(struct dbos *dbos, const void *va, size_t size, struct dbos_entry *entry)
{
	struct table_entry locked;
	int ret = lock(dbos, va, level_of(dbos, size), &locked);

	if (ret)
		return ret;
	*entry = (struct dbos_entry){
		.pte = locked.word, .value = locked.value, .interrupts = locked.irqs,
	};
	return 0;
}

dbos_pte_t dbos_pte_unlock(const struct dbos_entry *entry, dbos_pte_t value)
{
	struct table_entry locked = {
		.word = (uint64_t *)entry->pte, .value = entry->value, .irqs = entry->interrupts,
	};

	return table_unlock(&locked, value);
}

int dbos_split(struct dbos *dbos, const void *va, size_t size)
{
	struct table_entry entry;
	int ret = lock(dbos, va, level_of(dbos, size), &entry);

	if (ret)
		return ret == -EEXIST ? 0 : ret;
	table_unlock(&entry, entry.value);
	return 0;
}

int dbos_collapse(struct dbos *dbos, const void *va, size_t size, enum dbos_flush how)
{
	unsigned int level = level_of(dbos, size);

	if (level < 2 || how == DBOS_FLUSH_LOCAL)
		return -EINVAL;
	if (in_signal_handler())
		return -EDEADLK;
	return table_collapse(&dbos->table, (uint64_t)va, level,
			      how == DBOS_FLUSH_SYNC ? TLB_SYNC : TLB_LAZY);
}
