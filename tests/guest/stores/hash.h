/* SPDX-License-Identifier: BSD-2-Clause */
/* A key-value store, changed in place: good only between two operations. */
#ifndef HASH_H
#define HASH_H

#include "heap.h"
#include "record.h"

void hash_create(struct heap *heap);
void hash_put(struct heap *heap, uint64_t key, uint64_t sequence);
void hash_delete(struct heap *heap, uint64_t key);
void hash_dump(const struct heap *heap, struct dump *dump);

#endif /* HASH_H */
