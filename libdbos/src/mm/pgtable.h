/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef DBOS_PGTABLE_H
#define DBOS_PGTABLE_H

#include <stdbool.h>

#include "dbos_internal.h"

/* What the process may really do is the second-level table's business. */
#define PGTABLE_LEAF (DBOS_PTE_P | DBOS_PTE_W | DBOS_PTE_A | DBOS_PTE_D)

static inline unsigned int pgtable_largest_leaf(const struct dbos *dbos)
{
	return dbos->gigabyte_pages ? 3 : 2;
}

/* Builds the table: every window, translated to itself. -ENOMEM. */
int pgtable_create(struct dbos *dbos);

/*
 * Makes the tables that the window's leaves need and, unless @tables_only, the leaves, which after
 * that can't fail. -ENOMEM.
 */
int pgtable_map_window(struct dbos *dbos, const struct window *window, bool tables_only);

/* Gives all of its memory back; no vCPU may be left. */
void pgtable_destroy(struct dbos *dbos);

#endif /* DBOS_PGTABLE_H */
