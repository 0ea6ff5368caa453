/* SPDX-License-Identifier: BSD-2-Clause */
/* Changes of all entries of a range, leaf by leaf. */
#ifndef DBOS_RANGE_H
#define DBOS_RANGE_H

#include "mm/table.h"

/* What is to stand where @old stood for @va, a leaf of @level or nothing. */
typedef uint64_t (*range_edit_fn)(const void *arg, uint64_t va, unsigned int level, uint64_t old);

/*
 * Applies @edit to each leaf of [va, end), multiples of 4 KiB: to those that are there where they
 * are smaller than @largest (a level), else to the largest that fit, for which others are split.
 * Each is locked meanwhile. Flushes nothing. -ENOMEM: no frame for a table, *done is where it
 * stopped; it can't happen where it has gone through once. From where table_lock() is.
 */
int range_edit(const struct table *table, uint64_t va, uint64_t end, unsigned int largest,
	       range_edit_fn edit, const void *arg, uint64_t *done);

/*
 * Turns tables into leaves wherever that changes no translation, and frees tables of nothing. Each
 * is flushed lazily.
 */
void range_collapse(const struct table *table, uint64_t va, uint64_t end, unsigned int largest);

#endif /* DBOS_RANGE_H */
