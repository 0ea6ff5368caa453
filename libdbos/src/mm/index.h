/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which region is at an address: a sorted array, searched by halving, from anywhere and without a
 * lock. Fault handlers look here, whatever they have interrupted.
 *
 * It is a latch: there are two copies, and the sequence number says which one to read. A writer
 * changes the other copy, turns readers over to it, and then changes the first. A reader who finds
 * that it was turned over meanwhile may have read nonsense, and reads again.
 */
#ifndef DBOS_INDEX_H
#define DBOS_INDEX_H

#include <stdint.h>

#define INDEX_MAX 1024

struct dbos_region;

struct index_range {
	uint64_t lo, hi;	/* [lo, hi) */
	struct dbos_region *region;
};

struct index_copy {
	uint64_t count;
	struct index_range range[INDEX_MAX];	/* by rising lo, disjoint */
};

/* All zero at first. */
struct index {
	uint64_t sequence;
	struct index_copy copy[2];
};

/* NULL: none. */
struct dbos_region *index_find(const struct index *index, uint64_t va);

/* The largest [*lo, *hi) around @va in which no region is, where @va is in none. */
void index_gap(const struct index *index, uint64_t va, uint64_t *lo, uint64_t *hi);

/* One writer at a time. -EEXIST: a region is there; -ENOSPC: INDEX_MAX are. */
int index_insert(struct index *index, uint64_t lo, uint64_t hi, struct dbos_region *region);

/* Moves the end of the one that begins at @lo. -EEXIST: into another one. */
int index_resize(struct index *index, uint64_t lo, uint64_t hi);
void index_remove(struct index *index, uint64_t lo);

#endif /* DBOS_INDEX_H */
