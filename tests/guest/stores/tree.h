/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A B+-tree with shadow paging: an operation writes new nodes from the leaf to the root, then shows
 * all of them by one store, and only then gives the old ones back. So it is good at every moment,
 * and whatever a cut has of it says itself how many operations it has seen.
 */
#ifndef TREE_H
#define TREE_H

#include "heap.h"
#include "record.h"

void tree_create(struct heap *heap);

/* @sequence is the number of the operation, rising. */
void tree_put(struct heap *heap, uint64_t key, uint64_t sequence);
void tree_delete(struct heap *heap, uint64_t key, uint64_t sequence);

/* Of the last operation. */
uint64_t tree_sequence(const struct heap *heap);
void tree_dump(const struct heap *heap, struct dump *dump);

#endif /* TREE_H */
